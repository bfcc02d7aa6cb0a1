/* A chat server: each line of a client goes to all others.
 *
 *     cc chat.c $(pkg-config --cflags --libs libowfat_io) -lowfat -o chat
 *     ./chat [PORT [SECONDS]]
 *
 * The first line of a client is its name; "/quit" ends the connection. A client that is silent for SECONDS (300) is
 * asked whether it is there, and closed after as many more.
 *
 * It shows how to send one text to many batches, what to do about slow readers, and how to close a client while
 * others refer to it. Sockets and number conversions are libowfat's.
 */
#include <io.h>
#include <iob.h>

#include <ip4.h>
#include <scan.h>
#include <socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes: of a line, of a name, and the most that may wait for a reader. PAUSE: seconds without accepting if no
 * descriptor is left. */
enum { LINE = 512, NAME = 32, UNSENT = 65536, PAUSE = 1 };

struct client {
  int64 s;
  struct client* next;
  const char* leaving;         /* why this client is about to be closed, or NULL: see show_out() */
  int asked;                   /* it was asked whether it is there */
  size_t have;                 /* bytes of `line` in use */
  char name[NAME];             /* empty until the client has said it; until then it gets no lines */
  char line[LINE];
  io_batch out;
};

static struct client* clients;
static int64 listener;
static unsigned long idle_seconds = 300;

/* Replaces the last deadline. It costs little, so it is done at every line. */
static void set_deadline(int64 s, unsigned long seconds) {
  tai6464 deadline;
  taia_now(&deadline);
  taia_addsec(&deadline, &deadline, (int)seconds);
  io_timeout(s, deadline);
}

/* Queues a text for a client. The batch gets a copy and frees it. It is sent in on_writable(), so that all texts of one
 * turn leave in one piece. */
static void tell(struct client* c, const char* text) {
  if (c->leaving) return;
  if (iob_bytesleft(&c->out) > UNSENT)
    c->leaving = "reads too slowly";
  else if (!iob_adds_free(&c->out, strdup(text)))
    c->leaving = "is too much for our memory";
  else
    io_wantwrite(c->s);
}

static void tell_others(const struct client* from, const char* between, const char* what) {
  char text[NAME + LINE + 4];
  snprintf(text, sizeof text, "%s%s%s\n", from->name, between, what);
  for (struct client* c = clients; c; c = c->next)
    if (c != from && *c->name) tell(c, text);
}

/* Closes the clients that are leaving. The reason may come up in the middle of tell_others(), where the list must not
 * change. So it is noted there, and this runs after the events of a turn. Queued texts are sent as far as they fit. */
static void show_out(void) {
  struct client **link = &clients, *c;
  while ((c = *link) != NULL)
    if (!c->leaving) {
      link = &c->next;
    } else {
      *link = c->next;
      if (*c->name) tell_others(c, " ", c->leaving);
      iob_send(c->s, &c->out);
      iob_reset(&c->out);      /* frees what was not sent */
      io_close(c->s);
      free(c);
      link = &clients;         /* from the start: tell_others() may have marked an earlier client */
    }
}

static void welcome(void) {
  char ip[4];
  uint16 port;
  int s;
  while ((s = socket_accept4((int)listener, ip, &port)) != -1) {
    struct client* c = calloc(1, sizeof *c);
    io_nonblock(s);            /* the library never changes the mode by itself */
    if (!c || !io_fd(s)) {
      free(c);
      io_close(s);
      continue;
    }
    iob_init_autofree(&c->out, 0); /* the batch may never be empty, so each text is freed when it is sent */
    c->s = s;
    c->next = clients;
    clients = c;
    io_setcookie(s, c);
    io_wantread(s);
    set_deadline(s, idle_seconds);
    tell(c, "What is your name?\n");
  }
  if (errno == EMFILE || errno == ENFILE) {
    io_dontwantread(listener); /* or the client in its queue would be reported again and again */
    set_deadline(listener, PAUSE);
  }
}

static void take_name(struct client* c, const char* name) {
  int good = *name && strlen(name) < NAME && !name[strcspn(name, " :")];
  for (struct client* o = clients; o; o = o->next) good &= strcmp(o->name, name) != 0;
  tell(c, good ? "Welcome.\n" : "Another name, please.\n");
  if (!good) return;
  strcpy(c->name, name);
  tell_others(c, " ", "is here");
}

static void on_line(struct client* c, char* line) {
  for (char* p = line; *p; ++p)
    if ((unsigned char)*p < ' ' || *p == 127) *p = '?'; /* control characters could change the others' terminals */
  if (!strcmp(line, "/quit"))
    c->leaving = "has left";
  else if (!*c->name)
    take_name(c, line);
  else if (*line)
    tell_others(c, ": ", line);
}

static void take_lines(struct client* c) {
  char *line = c->line, *end;
  while (!c->leaving && (end = memchr(line, '\n', c->have)) != NULL) {
    c->have -= (size_t)(end + 1 - line);
    *end = 0;
    if (end > line && end[-1] == '\r') end[-1] = 0;
    on_line(c, line);
    line = end + 1;
  }
  memmove(c->line, line, c->have);
  if (c->have == LINE) c->leaving = "has too much to say in a line";
}

/* One read for each event. The next io_wait reports what is left, after the others have had their turn. */
static void on_readable(struct client* c) {
  int64 r = io_tryread(c->s, c->line + c->have, (int64)(LINE - c->have));
  if (r == -1) return;         /* nothing to read now; io_wait will tell */
  if (r <= 0) {                /* 0: the client has closed its side; -3: an error, see errno */
    c->leaving = r ? "was lost" : "has left";
    return;
  }
  c->asked = 0;
  set_deadline(c->s, idle_seconds);
  c->have += (size_t)r;
  take_lines(c);
}

static void on_writable(struct client* c) {
  if (iob_send(c->s, &c->out) == -3) c->leaving = "was lost";
  if (!iob_bytesleft(&c->out)) io_dontwantwrite(c->s);
}

static void on_deadline(struct client* c) {
  if (c->asked) c->leaving = "has fallen asleep";
  tell(c, "Is anybody there?\n");
  c->asked = 1;
  set_deadline(c->s, idle_seconds);
}

int main(int argc, char** argv) {
  unsigned long wanted = 0;
  uint16 port;
  char ip[4];
  int64 s;
  if (argc > 3 || (argc > 1 && !scan_ulong(argv[1], &wanted)) || (argc > 2 && !scan_ulong(argv[2], &idle_seconds))) {
    fputs("usage: chat [PORT [SECONDS]]\n", stderr);
    return 2;
  }
  listener = socket_tcp4();    /* libowfat's sockets are non-blocking */
  if (listener == -1 || socket_bind4_reuse((int)listener, ip4loopback, (uint16)wanted) == -1 ||
      socket_listen((int)listener, 128) == -1 || socket_local4((int)listener, ip, &port) == -1 || !io_fd(listener) ||
      printf("listening on %u\n", port) < 0 || fflush(stdout)) {
    perror("chat");
    return 1;
  }
  io_wantread(listener);
  for (;;) {
    io_wait();                 /* sleeps until a descriptor is ready or a deadline passes */
    while ((s = io_timeouted()) != -1)
      if (s == listener) io_wantread(listener);
      else on_deadline(io_getcookie(s));
    while ((s = io_canread()) != -1)
      if (s == listener) welcome();
      else on_readable(io_getcookie(s));
    while ((s = io_canwrite()) != -1) on_writable(io_getcookie(s));
    show_out();
  }
}
