/* A small web server: keep-alive HTTP/1.1, GET and HEAD, files below one directory.
 *
 *     cc web.c $(pkg-config --cflags --libs libowfat_io) -lowfat -o web
 *     ./web DIRECTORY [PORT]
 *
 * It shows the shape of every server on this interface: one loop that waits, then serves what
 * can be read and what can be written. Sockets, buffers and strings are libowfat's; the loop and
 * the sending are libowfat_io's. Nothing here ever blocks except io_wait.
 */
#include "io.h"
#include "iob.h"

#include <buffer.h>
#include <byte.h>
#include <case.h>
#include <fmt.h>
#include <scan.h>
#include <socket.h>
#include <str.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IDLE_SECONDS = 30, REQUEST_LIMIT = 4096 };

/* What the server knows about one client. The loop keeps a pointer to it as the descriptor's
 * cookie. An io_batch needs no initialisation beyond zero bytes. */
struct client {
  size_t have;                 /* bytes of `request` in use */
  int close_after;             /* the client asked for, or deserves, no further request */
  int answering;               /* the batch still holds unsent bytes of an answer */
  io_batch answer;
  char head[256];              /* the header of the answer that is being sent */
  char request[REQUEST_LIMIT];
};

static int64 listener;

static void die(const char* what) {
  buffer_puts(buffer_2, "web: ");
  buffer_puts(buffer_2, what);
  buffer_puts(buffer_2, ": ");
  buffer_puterror(buffer_2);
  buffer_putnlflush(buffer_2);
  exit(1);
}

static void hang_up(int64 s) {
  struct client* c = io_getcookie(s);
  iob_reset(&c->answer);       /* closes the file that was being sent, if any */
  free(c);
  io_close(s);
  io_wantread(listener);       /* a descriptor is free again: see welcome() */
}

/* A deadline belongs to the descriptor; io_timeouted() names those that passed. */
static void postpone_deadline(int64 s) {
  tai6464 deadline;
  taia_now(&deadline);
  taia_addsec(&deadline, &deadline, IDLE_SECONDS);
  io_timeout(s, deadline);
}

static void welcome(void) {
  char ip[4];
  uint16 port;
  int s;
  while ((s = socket_accept4((int)listener, ip, &port)) != -1) {
    struct client* c = calloc(1, sizeof *c);
    io_nonblock(s);
    if (!c || !io_fd(s)) {
      free(c);
      io_close(s);
      continue;
    }
    io_setcookie(s, c);
    postpone_deadline(s);
    io_wantread(s);
  }
  if (errno == EAGAIN)
    io_eagain_read(listener);
  else if (errno == EMFILE || errno == ENFILE)
    io_dontwantread(listener); /* no descriptor left: ask again when a client has gone */
}

/* Queues a header. The bytes stay in the client's record until they are sent, so the batch only
 * borrows them: iob_addbuf, not iob_addbuf_free. */
static int queue_head(struct client* c, const char* status, uint64 length) {
  size_t n = fmt_str(c->head, "HTTP/1.1 ");
  n += fmt_str(c->head + n, status);
  n += fmt_str(c->head + n, "\r\nContent-Length: ");
  n += fmt_ulonglong(c->head + n, length);
  n += fmt_str(c->head + n, c->close_after ? "\r\nConnection: close\r\n\r\n" : "\r\n\r\n");
  return iob_addbuf(&c->answer, c->head, n);
}

static int queue_text(struct client* c, const char* status, const char* text, int with_body) {
  return queue_head(c, status, str_len(text)) && (!with_body || iob_adds(&c->answer, text));
}

/* If all descriptors are in use, the file may exist. */
static int queue_unopened(struct client* c, int with_body) {
  if (errno == EMFILE || errno == ENFILE)
    return queue_text(c, "503 Service Unavailable", "try again later\n", with_body);
  return queue_text(c, "404 Not Found", "not found\n", with_body);
}

static int queue_file(struct client* c, const char* path, int with_body) {
  struct stat st;
  int64 file;
  int outside = path[0] == '/'; /* so could ".." lead out of the directory */
  for (const char* p = path; *p; ++p) outside |= p[0] == '.' && p[1] == '.';
  if (outside) return queue_text(c, "404 Not Found", "not found\n", with_body);
  if (!io_readfile(&file, path)) return queue_unopened(c, with_body);
  if (fstat((int)file, &st) == -1 || !S_ISREG(st.st_mode)) {
    io_close(file);
    return queue_text(c, "404 Not Found", "not found\n", with_body);
  }
  if (!queue_head(c, "200 OK", (uint64)st.st_size)) {
    io_close(file);
    return 0;
  }
  if (!with_body) {
    io_close(file);
    return 1;
  }
  /* The batch owns the file from here and closes it, also when adding it fails. */
  return iob_addfile_close(&c->answer, file, 0, (uint64)st.st_size);
}

/* Reads the header lines after the request line: only Connection matters here. */
static void note_connection(struct client* c, const char* line, const char* end) {
  while (line < end) {
    if (case_starts(line, "connection:") && str_start(line + str_chr(line, ':') + 1, " close")) c->close_after = 1;
    while (line < end && *line != '\n') ++line;
    ++line;
  }
}

/* Queues the answer to the request of `n` bytes; the empty line at its end is included. */
static int queue_answer(struct client* c, size_t n) {
  char* line = c->request;
  size_t path, path_end;
  int with_body = str_start(line, "GET ");
  line[n - 1] = 0;             /* its last byte is the newline of the empty line */
  path = str_chr(line, ' ') + 1;
  if (!with_body && !str_start(line, "HEAD ")) {
    c->close_after = 1;
    return queue_text(c, "405 Method Not Allowed", "only GET and HEAD\n", 1);
  }
  path_end = path + str_chr(line + path, ' ');
  if (line[path] != '/' || line[path_end] != ' ' || !str_start(line + path_end, " HTTP/1.")) {
    c->close_after = 1;
    return queue_text(c, "400 Bad Request", "bad request\n", with_body);
  }
  if (str_start(line + path_end, " HTTP/1.0")) c->close_after = 1;
  line[path_end] = 0;
  note_connection(c, line + path_end + 1, line + n);
  if (path_end == path + 1) return queue_text(c, "200 OK", "hello, world\n", with_body);
  return queue_file(c, line + path + 1, with_body);
}

/* Sends what the socket takes now. 1 = all sent, 0 = the rest must wait, -1 = the client is lost. */
static int send_answer(int64 s, struct client* c) {
  int64 r = 1;
  while (iob_bytesleft(&c->answer) && r > 0) r = iob_send(s, &c->answer);
  if (r == -3 || r == 0) return -1;
  postpone_deadline(s);
  c->answering = iob_bytesleft(&c->answer) != 0;
  return !c->answering;
}

/* The position behind the first empty line, or 0 while the request is incomplete. */
static size_t request_length(const struct client* c) {
  for (size_t i = 3; i < c->have; ++i)
    if (c->request[i] == '\n' && c->request[i - 1] == '\r' && c->request[i - 2] == '\n') return i + 1;
  return 0;
}

/* Answers the complete requests, one after the other. Most answers fit into the socket at once, so
 * it sends without asking; only an answer that does not fit has to wait for io_canwrite. */
static void serve(int64 s, struct client* c) {
  size_t n;
  while (!c->answering && (n = request_length(c))) {
    if (!queue_answer(c, n)) {
      hang_up(s);
      return;
    }
    byte_copy(c->request, c->have - n, c->request + n);
    c->have -= n;
    switch (send_answer(s, c)) {
    case -1: hang_up(s); return;
    case 0:
      io_dontwantread(s);      /* no further request until this one is answered */
      io_wantwrite(s);
      return;
    }
    if (c->close_after) {
      hang_up(s);
      return;
    }
  }
  if (c->have == REQUEST_LIMIT) hang_up(s);
}

static void on_readable(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = io_tryread(s, c->request + c->have, (int64)(REQUEST_LIMIT - c->have));
  if (r == -1) return;         /* nothing to read now; io_wait will tell */
  if (r <= 0) {                /* 0 = the client has gone, -3 = an error */
    hang_up(s);
    return;
  }
  c->have += (size_t)r;
  serve(s, c);
}

static void on_writable(int64 s) {
  struct client* c = io_getcookie(s);
  int sent = send_answer(s, c);
  if (sent == 0) return;
  if (sent == -1 || c->close_after) {
    hang_up(s);
    return;
  }
  io_dontwantwrite(s);
  io_wantread(s);
  serve(s, c);                 /* the next request may already be here */
}

int main(int argc, char** argv) {
  static const char loopback[4] = {127, 0, 0, 1};
  char ip[4], number[FMT_ULONG];
  unsigned long wanted = 0;
  uint16 port;
  int64 s;

  if (argc < 2 || argc > 3 || (argc == 3 && !scan_ulong(argv[2], &wanted))) {
    buffer_putsflush(buffer_2, "usage: web DIRECTORY [PORT]\n");
    return 2;
  }
  if (chdir(argv[1]) == -1) die(argv[1]);
  listener = socket_tcp4();
  if (listener == -1) die("socket");
  if (socket_bind4_reuse((int)listener, loopback, (uint16)wanted) == -1) die("bind");
  if (socket_listen((int)listener, 128) == -1) die("listen");
  if (socket_local4((int)listener, ip, &port) == -1) die("getsockname");
  if (!io_fd(listener)) die("io_fd");
  io_wantread(listener);

  buffer_puts(buffer_1, "listening on ");
  buffer_put(buffer_1, number, fmt_ulong(number, port));
  buffer_putnlflush(buffer_1);

  for (;;) {
    io_wait();                 /* sleeps until a descriptor is ready or a deadline passes */
    while ((s = io_timeouted()) != -1) hang_up(s);
    while ((s = io_canread()) != -1)
      if (s == listener) welcome();
      else on_readable(s);
    while ((s = io_canwrite()) != -1) on_writable(s);
  }
}
