/* A chat: what one says, all others hear, line by line.
 *
 *     cc chat.c $(pkg-config --cflags --libs libowfat_io) -lowfat -o chat
 *     ./chat [PORT [SECONDS]]
 *
 * The first line is the name under which one speaks, "/quit" the last. It shows batches into which others write, what
 * to do about readers who are too slow, and when to close a client of whom others speak. Sockets and numbers are
 * libowfat's. Who is silent for SECONDS (300) is asked whether he is there, and shown out after as many more.
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

/* Bytes of a line, of a name, and that may wait for a reader; seconds without accepting, when descriptors run out. */
enum { LINE = 512, NAME = 32, UNSENT = 65536, PAUSE = 1 };

struct client {
  int64 s;
  struct client* next;
  const char* leaving;         /* why this client is about to be closed, or NULL: see show_out() */
  int asked;                   /* whether anybody is there */
  size_t have;                 /* bytes of `line` in use */
  char name[NAME];             /* empty at first: the client hears nothing of the others then */
  char line[LINE];
  io_batch out;
};

static struct client* clients;
static int64 listener;
static unsigned long idle_seconds = 300;

/* Replaces the one before. It costs little, so it is done at every line. */
static void set_deadline(int64 s, unsigned long seconds) {
  tai6464 deadline;
  taia_now(&deadline);
  taia_addsec(&deadline, &deadline, (int)seconds);
  io_timeout(s, deadline);
}

/* Puts a text behind what the client has not taken yet. The batch gets a copy and frees it. Nothing is sent here: what
 * many say before the next io_wait leaves in one piece, see on_writable(). */
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

/* Nobody is closed where the reason is found, for that may be in the middle of tell_others(). It is noted, and this is
 * done after the events of a turn. The last words are sent as far as they fit. */
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
      link = &clients;         /* that line may have been one too many for somebody whom we have passed */
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
    iob_init_autofree(&c->out, 0); /* it may never be empty: so each text is freed when it is sent */
    c->s = s;
    c->next = clients;
    clients = c;
    io_setcookie(s, c);
    io_wantread(s);
    set_deadline(s, idle_seconds);
    tell(c, "What is your name?\n");
  }
  if (errno == EMFILE || errno == ENFILE) {
    io_dontwantread(listener); /* or whoever waits would be reported again and again */
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
    if ((unsigned char)*p < ' ' || *p == 127) *p = '?'; /* or one could play with the others' terminals */
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

/* One read for an event: what is left is reported again by the next io_wait, when the others have had their turn. */
static void on_readable(struct client* c) {
  int64 r = io_tryread(c->s, c->line + c->have, (int64)(LINE - c->have));
  if (r == -1) return;         /* nothing there after all: the loop will say when */
  if (r <= 0) {                /* 0: the client has closed its side; -3: an error, which errno tells */
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
    io_wait();                 /* sleeps until something can be done or a deadline passes */
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
