/* The web server of files.c over TLS 1.3.
 *
 *     cc tls.c $(pkg-config --cflags --libs libowfat_io) -lowfat -lssl -lcrypto -o tls
 *     ./tls CERTIFICATE KEY DIRECTORY [PORT]
 *
 * It shows how to use a library that reads and writes by itself: OpenSSL is called until it says what it must wait
 * for, and the loop waits for that. Answers are batches, and iob_write hands them to OpenSSL piece by piece. HTTP is
 * in http.h. Sockets are libowfat's.
 */
#define _GNU_SOURCE
#include <io.h>
#include <iob.h>

#include "http.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <ip4.h>
#include <socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>

/* Seconds for an idle client; seconds without accepting if no descriptor is left; steps before the others' turn. */
enum { IDLE = 30, PAUSE = 1, STEPS = 16 };

struct client {
  SSL* tls;
  struct http http;
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
  iob_reset(&c->http.answer);  /* closes the file that was being sent, if any */
  SSL_free(c->tls);
  free(c);
  io_close(s);
}

static void set_deadline(int64 s, int seconds) {
  tai6464 deadline;
  taia_now(&deadline);
  taia_addsec(&deadline, &deadline, seconds);
  io_timeout(s, deadline);
}

static void welcome(void) {
  char ip[4];
  uint16 port;
  int s, yes = 1;
  while ((s = socket_accept4((int)listener, ip, &port)) != -1) {
    struct client* c = calloc(1, sizeof *c);
    io_nonblock(s);
    if (!c || !(c->tls = SSL_new(context)) || !SSL_set_fd(c->tls, s) || !io_fd(s)) {
      if (c) SSL_free(c->tls);
      free(c);
      io_close(s);
      continue;
    }
    SSL_set_accept_state(c->tls);
    /* The header and the body of an answer are two records, and delaying the second gains nothing. */
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    io_setcookie(s, c);
    set_deadline(s, IDLE);
    io_wantread(s);
  }
  if (errno == EAGAIN) {
    io_eagain_read(listener);
  } else if (errno == EMFILE || errno == ENFILE) {
    io_dontwantread(listener); /* or the client in its queue would be reported again and again */
    set_deadline(listener, PAUSE);
  }
}

/* The result of an OpenSSL call that failed, as io_tryread and iob_write would return it: -1 with EAGAIN, or -3. With
 * EAGAIN the same call must be made again when the socket is ready. OpenSSL says in which direction: to read it may
 * have to write, as in a handshake. The library did not see the EAGAIN of the socket, so io_eagain_read or
 * io_eagain_write tells it. */
static int64 not_now(int64 s, SSL* tls) {
  int error = SSL_get_error(tls, 0);
  if (error == SSL_ERROR_WANT_READ) {
    io_eagain_read(s);
    io_dontwantwrite(s);
    io_wantread(s);
  } else if (error == SSL_ERROR_WANT_WRITE) {
    io_eagain_write(s);
    io_dontwantread(s);
    io_wantwrite(s);
  } else {
    errno = EPROTO;
    return -3;
  }
  errno = EAGAIN;
  return -1;
}

/* The filter. OpenSSL requires that a call which has to wait is repeated with the same address and length, because it
 * has encrypted, and maybe sent, a part already. iob_write does that, so neither a copy nor
 * SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER is needed. A piece counts as taken when the kernel has all of its records. */
static int64 encrypt(int64 s, const void* bytes, uint64 n) {
  struct client* c = io_getcookie(s);
  size_t taken;
  return SSL_write_ex(c->tls, bytes, n, &taken) ? (int64)taken : not_now(s, c->tls);
}

/* The filter for files, if the kernel does the encryption. The file is not read into this process. */
static int64 encrypt_file(int64 s, int64 file, uint64 off, uint64 n, io_write_callback write) {
  struct client* c = io_getcookie(s);
  ossl_ssize_t taken = SSL_sendfile(c->tls, (int)file, (off_t)off, n, 0);
  (void)write;
  return taken >= 0 ? taken : not_now(s, c->tls);
}

/* One step: sends what is queued, or answers a request, or reads. Returns >0 to go on, -1 if the loop has to wait
 * (not_now() has stated the interest), anything else if the connection is over. */
static int64 step(int64 s, struct client* c) {
  struct http* h = &c->http;
  int64 r;
  size_t n;
  if (iob_bytesleft(&h->answer)) {
    int kernel_encrypts = BIO_get_ktls_send(SSL_get_wbio(c->tls));
    r = iob_write2(s, &h->answer, encrypt, kernel_encrypts ? encrypt_file : NULL);
    if (r > 0) set_deadline(s, IDLE);
    return r;
  }
  if (h->close_after) {
    SSL_shutdown(c->tls);      /* sends close_notify and does not wait for the answer */
    return 0;
  }
  if ((r = http_answer(h)) != 0) return r;
  if (!SSL_read_ex(c->tls, h->request + h->have, REQUEST_LIMIT - h->have, &n)) return not_now(s, c->tls);
  h->have += n;
  return 1;
}

/* Handles a report in either direction. The first SSL_read_ex does the handshake. OpenSSL may hold decrypted bytes,
 * which the loop cannot see, so it is called until it has no more. */
static void go_on(int64 s) {
  struct client* c = io_getcookie(s);
  int64 r = 1;
  ERR_clear_error();           /* errors of another client must not count for this one */
  for (int i = 0; i < STEPS && r > 0; ++i) r = step(s, c);
  if (r > 0)
    io_wantwrite(s);           /* it is writable, so the next io_wait reports it */
  else if (r != -1)
    hang_up(s);
}

static void start_tls(const char* certificate, const char* key) {
  context = SSL_CTX_new(TLS_server_method());
  if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
      SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
    die("certificate or key");
  SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
  signal(SIGPIPE, SIG_IGN);    /* OpenSSL writes by itself, without the library's protection */
}

static void listen_on(uint16 port) {
  char ip[4];
  listener = socket_tcp4();
  if (listener == -1 || socket_bind4_reuse((int)listener, ip4loopback, port) == -1 ||
      socket_listen((int)listener, 128) == -1 || socket_local4((int)listener, ip, &port) == -1 || !io_fd(listener))
    die("listen");
  io_wantread(listener);
  if (printf("listening on %u\n", port) < 0 || fflush(stdout)) die("stdout");
}

int main(int argc, char** argv) {
  unsigned long port = 0;
  int64 s;
  if (argc < 4 || argc > 5 || (argc == 5 && (!scan_ulong(argv[4], &port) || port > 65535))) {
    fputs("usage: tls CERTIFICATE KEY DIRECTORY [PORT]\n", stderr);
    return 2;
  }
  start_tls(argv[1], argv[2]);
  if (chdir(argv[3]) == -1) die(argv[3]);
  listen_on((uint16)port);
  for (;;) {
    io_wait();
    while ((s = io_timeouted()) != -1)
      if (s == listener) io_wantread(listener); /* each later sweep names it again, which does no harm */
      else hang_up(s);
    while ((s = io_canread()) != -1)
      if (s == listener) welcome();
      else go_on(s);
    while ((s = io_canwrite()) != -1) go_on(s);
  }
}
