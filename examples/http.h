/* HTTP/1.1 for a server of files: from the bytes of a request to the batch that answers it. files.c and tls.c share
 * it. It knows nothing of sockets or the loop.
 *
 * It serves GET and HEAD of regular files below the working directory, with one range, and Last-Modified as the only
 * validator. It parses with libowfat's case_*, scan_* and fmt_*, so link with -lowfat.
 *
 * No part of a path may begin with a dot. That excludes ".." and hidden files. Symbolic links are followed, so
 * everybody who may write to the directory decides what is served. */
#ifndef HTTP_H
#define HTTP_H

#include <iob.h>

#include <case.h>
#include <fmt.h>
#include <scan.h>
#include <textcode.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_LIMIT = 4096 };

/* Starts as zeros. The owner appends to `request` what it reads, and sends `answer`. */
struct http {
  int close_after;             /* the connection ends after this answer */
  size_t have;                 /* bytes of `request` in use */
  io_batch answer;
  char request[REQUEST_LIMIT];
};

struct request {
  int head_only;
  const char* path;            /* decoded, without its first slash */
  char* fields;                /* lines, each ended by a zero byte; the last one is empty */
};

/* Queues a header. The batch owns the bytes from here on and frees them. Returns 0 without memory. */
static int queue_head(struct http* h, const char* status, uint64 length, const char* fields) {
  char date[32], *head;
  int n;
  date[fmt_httpdate(date, time(NULL))] = 0;
  n = asprintf(&head, "HTTP/1.1 %s\r\nDate: %s\r\nContent-Length: %llu\r\n%s%s\r\n", status, date,
               (unsigned long long)length, fields, h->close_after ? "Connection: close\r\n" : "");
  return n != -1 && iob_addbuf_free(&h->answer, head, (uint64)n);
}

/* Queues an answer without a file. Its text is the status, a constant that need not be copied. */
static int queue_status(struct http* h, const char* status, const char* fields, int head_only) {
  return queue_head(h, status, strlen(status) + 1, fields) &&
         (head_only || (iob_adds(&h->answer, status) && iob_adds(&h->answer, "\n")));
}

/* Queues the last answer of a connection: after a bad request it is unknown where the next one begins. */
static int queue_refusal(struct http* h, const char* status) {
  h->close_after = 1;
  h->have = 0;
  return queue_status(h, status, "Allow: GET, HEAD\r\n", 0);
}

/* Returns the value of a header field, or NULL. */
static const char* field(const struct request* q, const char* name) {
  size_t n = strlen(name);
  for (const char* line = q->fields; *line; line += strlen(line) + 2)
    if (case_starts(line, name) && line[n] == ':') return line + n + 1 + strspn(line + n + 1, " \t");
  return NULL;
}

/* Decodes a path in place. Returns 0 if it is no path or contains a zero byte. */
static int decode_path(char* target) {
  size_t n;
  target[strcspn(target, "?#")] = 0;
  if (*target != '/' || target[scan_urlencoded2(target, target, &n)]) return 0;
  target[n] = 0;
  return strlen(target) == n;
}

/* Parses the head of a request in place. Returns NULL, or the status that refuses it. */
static const char* parse(struct http* h, char* head, struct request* q) {
  char *line = head, *target = strchr(head, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
  const char* connection;
  while ((line = strstr(line, "\r\n"))) *line = 0, line += 2;
  if (!version || strncmp(version, " HTTP/1.", 8)) return "400 Bad Request";
  q->fields = version + strlen(version) + 2;
  *target = *version = 0;
  q->head_only = !strcmp(head, "HEAD");
  if (!q->head_only && strcmp(head, "GET")) return "405 Method Not Allowed";
  if (version[8] != '0' && !field(q, "host")) return "400 Bad Request";
  connection = field(q, "connection");
  /* A body would have to be read before the next request. */
  h->close_after = version[8] == '0' || (connection && strcasestr(connection, "close")) ||
                   field(q, "content-length") || field(q, "transfer-encoding");
  if (!decode_path(target + 1)) return "400 Bad Request";
  q->path = target[2] ? target + 2 : "index.html";
  return NULL;
}

/* Parses a range. Returns 1 and the part of the file; 0 for the whole file, also if the range is one that a server
 * need not support; -1 if the file has no such part. */
static int parse_range(const char* value, uint64 size, uint64* from, uint64* n) {
  unsigned long long first = 0, last = ~0ULL;
  size_t digits;
  int suffix;
  if (!value || !case_starts(value, "bytes=")) return 0;
  value += 6;
  digits = scan_ulonglong(value, &first);
  suffix = !digits;
  value += digits;
  if (*value++ != '-') return 0;
  digits = scan_ulonglong(value, &last);
  if (value[digits] || (suffix && !digits) || (!suffix && last < first)) return 0;
  if (suffix) first = last < size ? size - last : 0;
  if (first >= size || (suffix && !last)) return -1;
  *from = first;
  *n = suffix || last >= size ? size - first : last - first + 1;
  return 1;
}

static const char* type_of(const char* path) {
  static const char* const types[][2] = {
      {"html", "text/html; charset=utf-8"}, {"txt", "text/plain; charset=utf-8"}, {"css", "text/css"},
      {"js", "text/javascript"}, {"svg", "image/svg+xml"}, {"png", "image/png"}, {"jpg", "image/jpeg"}};
  const char* dot = strrchr(path, '.');
  for (size_t i = 0; dot && i < sizeof types / sizeof *types; ++i)
    if (!case_diffs(dot + 1, types[i][0])) return types[i][1];
  return "application/octet-stream";
}

/* Opens a regular file. Returns -1 with errno if it cannot. O_NONBLOCK, because opening a FIFO would wait for its
 * writer. */
static int open_file(const char* path, struct stat* st) {
  int file;
  errno = ENOENT;
  if (*path == '.' || *path == '/' || strstr(path, "/.")) return -1;
  file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file == -1 || (!fstat(file, st) && S_ISREG(st->st_mode))) return file;
  close(file);
  errno = ENOENT;
  return -1;
}

/* Queues the header and the file, or a part of it. The batch owns `file` from here on and closes it, also if adding it
 * fails. */
static int queue_file(struct http* h, const struct request* q, int file, const struct stat* st) {
  char date[32], fields[256];
  uint64 size = (uint64)st->st_size, from = 0, n = size;
  const char *since = field(q, "if-modified-since"), *same = field(q, "if-range");
  int unchanged, part = 0, used, queued;
  date[fmt_httpdate(date, st->st_mtime)] = 0;
  unchanged = since && !strcmp(since, date);
  if (!q->head_only && !unchanged && (!same || !strcmp(same, date)))
    part = parse_range(field(q, "range"), size, &from, &n);
  used = snprintf(fields, sizeof fields, "Content-Type: %s\r\nLast-Modified: %s\r\nAccept-Ranges: bytes\r\n",
                  type_of(q->path), date);
  if (part == 1)
    snprintf(fields + used, sizeof fields - (size_t)used, "Content-Range: bytes %llu-%llu/%llu\r\n",
             (unsigned long long)from, (unsigned long long)(from + n - 1), (unsigned long long)size);
  if (part == -1) {
    snprintf(fields, sizeof fields, "Content-Range: bytes */%llu\r\n", (unsigned long long)size);
    queued = queue_status(h, "416 Range Not Satisfiable", fields, 0);
  } else {
    queued = queue_head(h, unchanged ? "304 Not Modified" : part ? "206 Partial Content" : "200 OK", n, fields);
  }
  if (queued && part != -1 && !q->head_only && !unchanged) return iob_addfile_close(&h->answer, file, from, n);
  close(file);
  return queued;
}

/* Queues the answer to the first request. Returns 1 if it is queued, 0 if the request is incomplete, -3 without
 * memory. */
static int http_answer(struct http* h) {
  char* end = memmem(h->request, h->have, "\r\n\r\n", 4);
  const char* refusal = "431 Request Header Fields Too Large";
  struct request q;
  struct stat st;
  int file, queued;
  if (!end && h->have < REQUEST_LIMIT) return 0;
  if (end) {
    end[2] = 0;                /* in place of the empty line; a zero byte before it is refused */
    refusal = strlen(h->request) == (size_t)(end + 2 - h->request) ? parse(h, h->request, &q) : "400 Bad Request";
    end += 4;
  }
  if (refusal) return queue_refusal(h, refusal) ? 1 : -3;
  file = open_file(q.path, &st);
  if (file != -1)
    queued = queue_file(h, &q, file, &st);
  else if (errno == EMFILE || errno == ENFILE) /* the file may exist */
    queued = queue_status(h, "503 Service Unavailable", "Retry-After: 1\r\n", q.head_only);
  else
    queued = queue_status(h, "404 Not Found", "", q.head_only);
  h->have -= (size_t)(end - h->request);
  memmove(h->request, end, h->have);
  return queued ? 1 : -3;
}
#endif
