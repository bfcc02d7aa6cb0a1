/* A client of opentracker that looks at every byte of its answers. `tracker list` prints a white list of torrents;
 * `tracker PORT` uses a tracker that serves them: it announces a peer of each, over UDP, and some more over HTTP, and
 * reads the list of all torrents (a full scrape) as slowly as a bad line does. Each line says how much was right. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TORRENTS = 40000, HTTP_ANNOUNCES = 200, SCRAPES = 8, PATIENCE_MS = 3000 };

/* What a slow reader takes at a time, and its rest after that. */
enum { SIP = 32 * 1024, REST_US = 500 };

static struct sockaddr_in tracker = {.sin_family = AF_INET};

/* 20 bytes, which say themselves whether they are right. */
static void name(char out[21], unsigned torrent) { snprintf(out, 21, "owfat_io %011u", torrent % 1000000u); }

static int connected(int type, int receive_buffer) {
  int s = socket(AF_INET, type, 0);
  if (receive_buffer) setsockopt(s, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (s == -1 || connect(s, (struct sockaddr*)&tracker, sizeof tracker) == -1) {
    perror("tracker: connect");
    exit(1);
  }
  return s;
}

static int readable(int s) {
  struct pollfd p = {.fd = s, .events = POLLIN};
  return poll(&p, 1, PATIENCE_MS) == 1;
}

/* ---- UDP: BEP 15. ---- */

struct __attribute__((packed)) question {
  uint64_t connection;
  uint32_t action, turn;
  char torrent[20], peer[20];
  uint64_t downloaded, left, uploaded;
  uint32_t event, address, key, wanted;
  uint16_t port;
};

struct __attribute__((packed)) answer {
  uint32_t action, turn;
  uint64_t connection;
};

enum { CONNECT, ANNOUNCE };

/* 1 if the answer is one to this question. Datagrams may be lost, so it asks three times. */
static int ask(int s, struct question* q, uint32_t action, struct answer* a) {
  static uint32_t turn;
  q->action = htonl(action);
  q->turn = htonl(++turn);
  for (int i = 0; i < 3; ++i) {
    char room[2048];
    if (send(s, q, action == CONNECT ? 16 : sizeof *q, 0) == -1 || !readable(s)) continue;
    if (recv(s, room, sizeof room, 0) < (ssize_t)sizeof *a) return 0;
    memcpy(a, room, sizeof *a);
    return a->action == q->action && a->turn == q->turn;
  }
  return 0;
}

static int announced_over_udp(void) {
  struct question q = {.connection = htobe64(0x41727101980), .port = htons(1001)};
  struct answer a;
  int s = connected(SOCK_DGRAM, 0), right = 0;
  if (!ask(s, &q, CONNECT, &a)) return 0;
  q.connection = a.connection;
  for (unsigned i = 0; i < TORRENTS; ++i) {
    char text[21];
    name(text, i);
    memcpy(q.torrent, text, 20);
    memcpy(q.peer, "-owfat0-------------", 20);
    /* Until it has read its white list it refuses. */
    for (int tries = 0; i == 0 && tries < 100 && !ask(s, &q, ANNOUNCE, &a); ++tries) usleep(20000);
    right += ask(s, &q, ANNOUNCE, &a);
  }
  close(s);
  return right;
}

/* ---- HTTP. ---- */

/* The body of an answer, whole or in chunks; its length, or -1 if it is none. */
static ssize_t body_of(char* answer, size_t n, char** body) {
  char *in = memmem(answer, n, "\r\n\r\n", 4), *out, *end = answer + n;
  if (!in || (strncmp(answer, "HTTP/1.1 200", 12) && strncmp(answer, "HTTP/1.0 200", 12))) return -1;
  *in = 0;
  in += 4;
  *body = out = in;
  if (!strcasestr(answer, "transfer-encoding: chunked")) return end - in;
  for (;;) {
    char* line = memmem(in, (size_t)(end - in), "\r\n", 2);
    size_t size;
    if (!line) return -1;
    size = strtoul(in, NULL, 16);
    in = line + 2;
    if (!size) return out - *body;
    if (size + 2 > (size_t)(end - in) || memcmp(in + size, "\r\n", 2)) return -1;
    memmove(out, in, size);
    out += size;
    in += size + 2;
  }
}

/* Whether all of the answer is there, as far as its end tells: a tracker may keep the connection open. */
static int is_whole(const char* answer, size_t n) {
  const char *body = memmem(answer, n, "\r\n\r\n", 4), *length;
  if (!body) return 0;
  length = memmem(answer, (size_t)(body - answer), "Content-Length: ", 16);
  if (length) return n == (size_t)(body + 4 - answer) + strtoul(length + 16, NULL, 10);
  return n > 5 && !memcmp(answer + n - 5, "0\r\n\r\n", 5);
}

/* A request on a connection of its own. */
static ssize_t get(const char* path, int slowly, char** body) {
  static char room[16 << 20], request[1000];
  int s = connected(SOCK_STREAM, slowly ? SIP : 0);
  size_t n = 0, wanted;
  ssize_t r;
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
  if (write(s, request, strlen(request)) == -1) perror("tracker: write");
  do {
    wanted = sizeof room - 1 - n;
    if (slowly && wanted > SIP) wanted = SIP;
    if (slowly) usleep(REST_US);
    r = readable(s) ? read(s, room + n, wanted) : 0;
    if (r > 0) n += (size_t)r;
    room[n] = 0;
  } while (r > 0 && !is_whole(room, n));
  close(s);
  return body_of(room, n, body);
}

static int announced_over_http(void) {
  int right = 0;
  for (unsigned i = 0; i < HTTP_ANNOUNCES; ++i) {
    char path[300], text[21], *body;
    name(text, i);
    snprintf(path, sizeof path,
             "/announce?info_hash=owfat_io%%20%s&peer_id=-owfat1-%012u&port=%u&uploaded=0&downloaded=0&left=0",
             text + strlen("owfat_io "), i, 2000 + i);
    ssize_t n = get(path, 0, &body);
    right += n > 0 && !strncmp(body, "d8:completei", 12) && body[n - 1] == 'e';
  }
  return right;
}

/* Every torrent once, each with its one line, and nothing else. */
static int is_right(const char* body, ssize_t n) {
  static char seen[TORRENTS];
  const char *at = body + 9, *end = body + n;
  int torrents = 0;
  memset(seen, 0, sizeof seen);
  if (n < 11 || memcmp(body, "d5:filesd", 9)) return 0;
  while (end - at > 2) {
    unsigned torrent, complete, downloaded, incomplete;
    int length = 0;
    char text[21], line[128] = "";
    /* sscanf looks for the end of its text first. */
    memcpy(line, at, end - at < 127 ? (size_t)(end - at) : 127);
    if (sscanf(line, "20:owfat_io %11ud8:completei%ue10:downloadedi%ue10:incompletei%uee%n", &torrent, &complete,
               &downloaded, &incomplete, &length) != 4 || !length || torrent >= TORRENTS || seen[torrent])
      return 0;
    name(text, torrent);
    if (memcmp(at + 3, text, 20) || !complete || incomplete) return 0;
    seen[torrent] = 1;
    torrents++;
    at += length;
  }
  return torrents == TORRENTS && end - at == 2 && !memcmp(at, "ee", 2);
}

int main(int argc, char** argv) {
  int right = 0;
  if (argc != 2) return 2;
  if (!strcmp(argv[1], "list")) {
    for (unsigned i = 0; i < TORRENTS; ++i) {
      char text[21];
      name(text, i);
      for (int k = 0; k < 20; ++k) printf("%02x", (unsigned char)text[k]);
      printf("\n");
    }
    return 0;
  }
  tracker.sin_port = htons((uint16_t)atoi(argv[1]));
  tracker.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  printf("announces over UDP: %d of %d\n", announced_over_udp(), TORRENTS);
  printf("announces over HTTP: %d of %d\n", announced_over_http(), HTTP_ANNOUNCES);
  for (int i = 0; i < SCRAPES; ++i) {
    char* body;
    ssize_t n = get("/scrape", 1, &body);
    right += n != -1 && is_right(body, n);
  }
  printf("full scrapes to a slow reader: %d of %d\n", right, SCRAPES);
  return 0;
}
