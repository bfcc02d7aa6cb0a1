/* Four plain things that servers do, and their results with the library that this program is linked with. The same
 * source builds with libowfat 0.32, with libowfat 0.34 and with libowfat_io:
 *
 *     cc harms.c -lowfat -o harms
 *     cc harms.c $(pkg-config --cflags --libs libowfat_io) -o harms
 *     ./harms chunked|relayed|error|pipelined
 *
 * The server runs in a process of its own, clients ask it, and one line says what they got:
 *
 *     chunked    8 slow readers ask for an answer of 16 KiB chunks; how many of them get wrong bytes
 *     relayed    a slow reader asks for 3,000,000 equal bytes that another program writes; how many of them are wrong
 *     error      a connection stays open, and its request gets a small error answer; how long that takes
 *     pipelined  4 clients send 5 requests each in one go; how many answers each of them gets
 *
 * The server does nothing unusual: chunks come from malloc and belong to the batch, and there is interest in writing
 * to clients that have something to send. */
#define _GNU_SOURCE
#include <io.h>
#include <iob.h>

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 16 * 1024, CHUNKS = 512, RELAYED = 3000000, PIECE = 8192 };
enum { READERS = 8, ERRORS = 5, CLIENTS = 4, REQUESTS = 5 };

/* A slow reader takes so much at a time, and then rests. */
enum { SIP = 64 * 1024, REST_US = 300 };

/* Nothing more comes after that. */
enum { PATIENCE_MS = 1000 };

static void die(const char* what) {
  perror(what);
  exit(1);
}

/* ---- The server. ---- */

struct client {
  io_batch answer;
  int chunks_left;
  int chunk;                   /* the number of the next one */
  int64 program;               /* whose output is passed on, or 0 */
  size_t have;
  char request[1024];
};

static int64 listener;

static void hang_up(int64 s) {
  struct client* c = io_getcookie(s);
  iob_reset(&c->answer);
  if (c->program) io_close(c->program);
  free(c);
  io_close(s);
}

static void welcome(void) {
  int s;
  while ((s = accept((int)listener, NULL, NULL)) != -1) {
    struct client* c = calloc(1, sizeof *c);
    io_nonblock(s);
    if (!c || !io_fd_canwrite(s)) {
      free(c);
      close(s);
      continue;
    }
    io_setcookie(s, c);
    io_wantread(s);
  }
  io_eagain_read(listener);
}

/* A program that writes so many equal bytes; what it writes is read from the descriptor. */
static int64 start_program(void) {
  int64 ends[2];
  pid_t program;
  if (!io_pipe(ends) || (program = fork()) == -1) die("program");
  if (!program) {
    char piece[PIECE];
    close((int)ends[0]);
    memset(piece, 'x', sizeof piece);
    for (size_t n, left = RELAYED; left; left -= n) {
      n = left < PIECE ? left : PIECE;
      if (write((int)ends[1], piece, n) != (ssize_t)n) _exit(1);
    }
    _exit(0);
  }
  io_close(ends[1]);
  return ends[0];
}

/* The byte at a place of the chunk with this number. */
static char byte_of(int chunk, int i) { return (char)('a' + (chunk + i) % 26); }

static void queue_chunk(struct client* c) {
  char* p = malloc(CHUNK);
  if (!p) die("malloc");
  for (int i = 0; i < CHUNK; ++i) p[i] = byte_of(c->chunk, i);
  ++c->chunk;
  --c->chunks_left;
  iob_addbuf_free(&c->answer, p, CHUNK);
}

/* What the program has written by now. 0: its end. */
static int queue_relayed(struct client* c) {
  char* p = calloc(1, PIECE);
  ssize_t n;
  if (!p) die("calloc");
  n = read((int)c->program, p, PIECE);
  if (n <= 0) {
    free(p);
    io_close(c->program);
    c->program = 0;
    return 0;
  }
  iob_addbuf_free(&c->answer, p, (uint64)n);
  return 1;
}

/* Takes one request from what the client has sent, and queues its answer, or the first part of it. 0: there is none. */
static int take_request(struct client* c) {
  static const char not_found[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  char* end = memmem(c->request, c->have, "\r\n\r\n", 4);
  if (!end) return 0;
  switch (c->request[strlen("GET /")]) {
  case 'c': c->chunks_left = CHUNKS; queue_chunk(c); break;
  case 'r': c->program = start_program(); queue_relayed(c); break;
  default: iob_addbuf(&c->answer, not_found, sizeof not_found - 1);
  }
  c->have -= (size_t)(end + 4 - c->request);
  memmove(c->request, end + 4, c->have);
  return 1;
}

static void on_readable(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = io_tryread(s, c->request + c->have, (int64)(sizeof c->request - c->have));
  if (r == -1) return;
  if (r <= 0) {
    hang_up(s);
    return;
  }
  c->have += (size_t)r;
  while (take_request(c)) {
    io_dontwantread(s);        /* one thing after the other: until all is sent, see below */
    io_wantwrite(s);
  }
}

static void on_writable(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = iob_send(s, &c->answer);
  if (r == -1) return;
  if (r == -3) {
    hang_up(s);
    return;
  }
  if (iob_bytesleft(&c->answer)) return;
  if (c->chunks_left) {
    queue_chunk(c);
  } else if (!c->program || !queue_relayed(c)) {
    io_dontwantwrite(s);
    io_wantread(s);
  }
}

static pid_t server;

/* In a process of its own. */
static void start_server(void) {
  server = fork();
  if (server == -1) die("fork");
  if (server) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!io_fd(listener)) die("io_fd");
  io_nonblock(listener);
  io_wantread(listener);
  for (;;) {
    int64 s;
    io_wait();
    while ((s = io_canread()) != -1)
      if (s == listener) welcome();
      else on_readable(s);
    while ((s = io_canwrite()) != -1) on_writable(s);
  }
}

/* ---- The clients. ---- */

static struct sockaddr_in address;

/* A connection on which so many requests have been sent. */
static int ask(const char* what, int times, int receive_buffer) {
  char request[1024] = "";
  int s = socket(AF_INET, SOCK_STREAM, 0);
  for (int i = 0; i < times; ++i) strcat(strcat(strcat(request, "GET /"), what), " HTTP/1.1\r\nHost: x\r\n\r\n");
  if (receive_buffer) setsockopt(s, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (s == -1 || connect(s, (struct sockaddr*)&address, sizeof address) == -1) die("connect");
  if (write(s, request, strlen(request)) != (ssize_t)strlen(request)) die("write");
  return s;
}

/* Reads the answer slowly, and says how many of its `n` bytes are wrong or do not come. */
static size_t wrong_bytes(int s, size_t n, char (*right)(size_t at)) {
  static char room[SIP];
  size_t wrong = 0;
  for (size_t at = 0; at < n;) {
    struct pollfd p = {.fd = s, .events = POLLIN};
    ssize_t r;
    usleep(REST_US);
    if (poll(&p, 1, PATIENCE_MS) != 1 || (r = read(s, room, n - at < SIP ? n - at : SIP)) <= 0) return wrong + n - at;
    for (ssize_t i = 0; i < r; ++i) wrong += room[i] != right(at++);
  }
  return wrong;
}

static char right_in_chunks(size_t at) { return byte_of((int)(at / CHUNK), (int)(at % CHUNK)); }

static void chunked(void) {
  int corrupt = 0;
  start_server();
  for (int i = 0; i < READERS; ++i) {
    int s = ask("chunked", 1, SIP);
    corrupt += wrong_bytes(s, (size_t)CHUNK * CHUNKS, right_in_chunks) != 0;
    close(s);
  }
  printf("%d of %d corrupt\n", corrupt, READERS);
}

static char right_of_program(size_t at) {
  (void)at;
  return 'x';
}

static void relayed(void) {
  start_server();
  printf("%zu wrong bytes\n", wrong_bytes(ask("relayed", 1, SIP), RELAYED, right_of_program));
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static void error(void) {
  double took[ERRORS];
  char answer[200];
  start_server();
  for (size_t i = 0; i < ERRORS; ++i) {
    double begin = now_ms();
    int s = ask("missing", 1, 0);
    if (read(s, answer, sizeof answer) <= 0) die("read");
    took[i] = now_ms() - begin;
    close(s);
  }
  qsort(took, ERRORS, sizeof *took, by_size);
  printf("%.0f ms\n", took[ERRORS / 2]);
}

static void pipelined(void) {
  int s[CLIENTS];
  for (int i = 0; i < CLIENTS; ++i) s[i] = ask("missing", REQUESTS, 0);
  start_server();              /* it finds them all waiting, as a busy server does */
  for (int i = 0; i < CLIENTS; ++i) {
    char answers[4096];
    size_t have = 0;
    int n = 0;
    struct pollfd p = {.fd = s[i], .events = POLLIN};
    while (n < REQUESTS && poll(&p, 1, PATIENCE_MS) == 1) {
      ssize_t r = read(s[i], answers + have, sizeof answers - have);
      if (r <= 0) break;
      have += (size_t)r;
      n = 0;
      for (char* at = answers; (at = memmem(at, have - (size_t)(at - answers), "\r\n\r\n", 4)); at += 4) ++n;
    }
    printf("%s%d", i ? "," : "", n);
  }
  printf("\n");
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(void);
  } kinds[] = {{"chunked", chunked}, {"relayed", relayed}, {"error", error}, {"pipelined", pipelined}};
  socklen_t length = sizeof address;
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  signal(SIGPIPE, SIG_IGN);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener == -1 || bind((int)listener, (struct sockaddr*)&address, sizeof address) == -1 ||
      listen((int)listener, 128) == -1 || getsockname((int)listener, (struct sockaddr*)&address, &length) == -1)
    die("listen");
  for (size_t i = 0; argc == 2 && i < sizeof kinds / sizeof *kinds; ++i) {
    if (strcmp(argv[1], kinds[i].name)) continue;
    kinds[i].run();
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return 0;
  }
  fprintf(stderr, "usage: harms chunked|relayed|error|pipelined\n");
  return 2;
}
