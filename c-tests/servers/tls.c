/* A small HTTPS server: TLS 1.3, keep-alive HTTP/1.1, GET of files below one directory.
 *
 *     cc tls.c $(pkg-config --cflags --libs libowfat_io) -lssl -lcrypto -o tls
 *     ./tls CERTIFICATE KEY DIRECTORY [PORT]
 *
 * It shows how a library that does the reading and writing itself, OpenSSL here, goes together with
 * the loop: OpenSSL is asked to go on until it says what it must wait for, and the loop waits for
 * that. Answers are batches; iob_write hands them to OpenSSL piece by piece.
 */
#define _GNU_SOURCE
#include "io.h"
#include "iob.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IDLE_SECONDS = 30, REQUEST_LIMIT = 4096 };

struct client {
  SSL* tls;
  size_t have;                 /* bytes of `request` in use */
  int close_after;             /* the client asked for, or deserves, no further request */
  io_batch answer;
  char request[REQUEST_LIMIT];
};

static SSL_CTX* context;
static int64 listener;

static void die(const char* what) {
  fprintf(stderr, "tls: %s: %s\n", what, strerror(errno));
  ERR_print_errors_fp(stderr);
  exit(1);
}

static void hang_up(int64 s) {
  struct client* c = io_getcookie(s);
  iob_reset(&c->answer);       /* closes the file that was being sent, if any */
  SSL_free(c->tls);
  free(c);
  io_close(s);
  io_wantread(listener);       /* a descriptor is free again: see welcome() */
}

static void postpone_deadline(int64 s) {
  tai6464 deadline;
  taia_now(&deadline);
  taia_addsec(&deadline, &deadline, IDLE_SECONDS);
  io_timeout(s, deadline);
}

static void welcome(void) {
  int s, yes = 1;
  while ((s = accept4((int)listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
    struct client* c = calloc(1, sizeof *c);
    if (!c || !(c->tls = SSL_new(context)) || !SSL_set_fd(c->tls, s) || !io_fd_flags(s, IO_FD_NONBLOCK)) {
      if (c) SSL_free(c->tls);
      free(c);
      io_close(s);
      continue;
    }
    SSL_set_accept_state(c->tls);
    /* The header and the body of an answer are two records, and nothing is gained by delaying the second. */
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    io_setcookie(s, c);
    postpone_deadline(s);
    io_wantread(s);
  }
  if (errno == EAGAIN)
    io_eagain_read(listener);
  else if (errno == EMFILE || errno == ENFILE)
    io_dontwantread(listener); /* no descriptor left: ask again when a client has gone */
}

/* What a call of OpenSSL that did not succeed means, told as io_tryread and iob_write tell it: -1 with
 * EAGAIN, or -3. In the first case the same call must be made again when the socket is ready, and the
 * direction is OpenSSL's: to read it may have to write, as in a handshake, and the other way round. The
 * loop did not see that the socket was found empty or full, so it is told. */
static int64 not_now(int64 s, SSL* tls) {
  switch (SSL_get_error(tls, 0)) {
  case SSL_ERROR_WANT_READ:
    io_eagain_read(s);
    io_dontwantwrite(s);
    io_wantread(s);
    errno = EAGAIN;
    return -1;
  case SSL_ERROR_WANT_WRITE:
    io_eagain_write(s);
    io_dontwantread(s);
    io_wantwrite(s);
    errno = EAGAIN;
    return -1;
  }
  errno = EPROTO;
  return -3;
}

/* The filter. A call that has to wait must be repeated with the same address and length, because
 * OpenSSL has encrypted, and maybe sent, a part already. iob_write promises just that, so there is no
 * need for SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER and a copy, nor for SSL_MODE_ENABLE_PARTIAL_WRITE, which
 * would tell of every record: a piece counts as taken when all its records are with the kernel. */
static int64 encrypt(int64 s, const void* bytes, uint64 n) {
  struct client* c = io_getcookie(s);
  size_t taken;
  return SSL_write_ex(c->tls, bytes, n, &taken) ? (int64)taken : not_now(s, c->tls);
}

/* The same for files where the kernel encrypts: they need not come into this process at all. */
static int64 encrypt_file(int64 s, int64 file, uint64 off, uint64 n, io_write_callback write) {
  struct client* c = io_getcookie(s);
  ossl_ssize_t taken = SSL_sendfile(c->tls, (int)file, (off_t)off, n, 0);
  (void)write;
  return taken >= 0 ? taken : not_now(s, c->tls);
}

/* Queues a header; the batch owns the bytes from here and frees them. */
static int queue_head(struct client* c, const char* status, uint64 length) {
  char* head;
  int n = asprintf(&head, "HTTP/1.1 %s\r\nContent-Length: %llu\r\n%s\r\n", status, (unsigned long long)length,
                   c->close_after ? "Connection: close\r\n" : "");
  return n != -1 && iob_addbuf_free(&c->answer, head, (uint64)n);
}

static int queue_text(struct client* c, const char* status, const char* text) {
  return queue_head(c, status, strlen(text)) && iob_adds(&c->answer, text);
}

static int queue_file(struct client* c, const char* path) {
  struct stat st;
  int file;
  if (path[0] == '/' || strstr(path, "..")) return queue_text(c, "404 Not Found", "not found\n");
  file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  /* With all descriptors in use, the file may well be there. */
  if (file == -1 && (errno == EMFILE || errno == ENFILE))
    return queue_text(c, "503 Service Unavailable", "try again later\n");
  if (file == -1) return queue_text(c, "404 Not Found", "not found\n");
  if (fstat(file, &st) == -1 || !S_ISREG(st.st_mode)) {
    close(file);
    return queue_text(c, "404 Not Found", "not found\n");
  }
  if (!queue_head(c, "200 OK", (uint64)st.st_size)) {
    close(file);
    return 0;
  }
  /* The batch owns the file from here and closes it, also when adding it fails. */
  return iob_addfile_close(&c->answer, file, 0, (uint64)st.st_size);
}

/* Queues the answer to the request that ends at `end`. */
static int queue_answer(struct client* c, char* end) {
  char *path = c->request + 5, *version;
  end[-1] = 0;                 /* the newline of the empty line */
  if (strncmp(c->request, "GET /", 5)) {
    c->close_after = 1;
    return queue_text(c, "405 Method Not Allowed", "only GET\n");
  }
  version = path + strcspn(path, " \r\n");
  if (strncmp(version, " HTTP/1.", 8)) {
    c->close_after = 1;
    return queue_text(c, "400 Bad Request", "bad request\n");
  }
  if (version[8] == '0' || strcasestr(version, "\nconnection: close")) c->close_after = 1;
  *version = 0;
  return queue_file(c, path);
}

/* One step: sends what is queued, or answers a request that is there, or reads. >0: there is more to
 * do; -1 with EAGAIN: the loop must wait, and not_now() said for what; otherwise the client is done with. */
static int64 step(int64 s, struct client* c) {
  char* end;
  size_t n;
  if (iob_bytesleft(&c->answer)) {
    int kernel_encrypts = BIO_get_ktls_send(SSL_get_wbio(c->tls));
    return iob_write2(s, &c->answer, encrypt, kernel_encrypts ? encrypt_file : NULL);
  }
  if (c->close_after) {
    SSL_shutdown(c->tls);      /* says goodbye; nobody waits for the answer */
    return 0;
  }
  end = memmem(c->request, c->have, "\r\n\r\n", 4);
  if (end) {
    end += 4;
    if (!queue_answer(c, end)) return -3;
    c->have -= (size_t)(end - c->request);
    memmove(c->request, end, c->have);
    return 1;
  }
  if (c->have == REQUEST_LIMIT) return -3;
  if (!SSL_read_ex(c->tls, c->request + c->have, REQUEST_LIMIT - c->have, &n)) return not_now(s, c->tls);
  c->have += n;
  return 1;
}

/* An event, in whichever direction. The handshake needs no step of its own: the first SSL_read_ex does it.
 * What it left unread stays in OpenSSL, so the loop is not asked before OpenSSL has nothing. */
static void go_on(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r;
  ERR_clear_error();           /* another client's errors must not be taken for this one's */
  postpone_deadline(s);
  do r = step(s, c);
  while (r > 0);
  if (r != -1) hang_up(s);
}

static void start_tls(const char* certificate, const char* key) {
  context = SSL_CTX_new(TLS_server_method());
  if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
      SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
    die("certificate or key");
  SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
  signal(SIGPIPE, SIG_IGN);    /* OpenSSL writes by itself, also to clients that have gone */
}

int main(int argc, char** argv) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof a;
  int yes = 1;
  int64 s;

  if (argc < 4 || argc > 5) {
    fputs("usage: tls CERTIFICATE KEY DIRECTORY [PORT]\n", stderr);
    return 2;
  }
  start_tls(argv[1], argv[2]);
  if (chdir(argv[3]) == -1) die(argv[3]);
  if (argc == 5) a.sin_port = htons((uint16_t)atoi(argv[4]));
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener == -1 || setsockopt((int)listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == -1 ||
      bind((int)listener, (struct sockaddr*)&a, n) == -1 || listen((int)listener, 128) == -1 ||
      getsockname((int)listener, (struct sockaddr*)&a, &n) == -1 || !io_fd_flags(listener, IO_FD_NONBLOCK))
    die("listen");
  io_wantread(listener);
  printf("listening on %d\n", ntohs(a.sin_port));
  fflush(stdout);

  for (;;) {
    io_wait();
    while ((s = io_timeouted()) != -1) hang_up(s);
    while ((s = io_canread()) != -1)
      if (s == listener) welcome();
      else go_on(s);
    while ((s = io_canwrite()) != -1) go_on(s);
  }
}
