/* promise: The same answers as libowfat */
/* iom_requeue: every answer. Left out: what 0.34 crashes on (no multiplexer), and numbers past 32 bits, which it cuts. */
#include <errno.h>
#include <fcntl.h>
#include <libowfat/io.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static iomux_t c;

static void wait_once(const char *what, int64 d) {
    int64 s = -7;
    unsigned int events = 99;
    int r = iom_wait(&c, &s, &events, 20);
    printf("  %s: %d, %s, events %u\n", what, r, s == d ? "that one" : s == -7 ? "none" : "another", events);
}

static void requeue(const char *what, int64 s, unsigned int events) {
    int r;
    errno = 0;
    r = iom_requeue(&c, s, events);
    printf("requeue %s: %d %s\n", what, r, r == -1 ? strerror(errno) : "");
    wait_once("then", s);
}

static void pair(int *d) {
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, d) == -1) perror("socketpair");
}

int main(void) {
    int p[2], s[2], file;
    if (pipe(p) == -1 || write(p[1], "a", 1) != 1) return 1;
    printf("init %d\n", iom_init(&c));
    requeue("before it is added", p[0], IOM_READ);
    printf("add %d\n", iom_add(&c, p[0], IOM_READ));
    wait_once("added", p[0]);
    wait_once("taken", p[0]);
    requeue("after its event", p[0], IOM_READ);
    requeue("once more", p[0], IOM_READ);
    requeue("with nothing", p[0], 0);
    requeue("with an error only", p[0], IOM_ERROR);
    requeue("for writing, which cannot be", p[0], IOM_WRITE);
    requeue("for more than there is", p[0], 255);
    requeue("in a multiplexer's own descriptor", c.ctx, IOM_READ);
    requeue("of what is not open", 999, IOM_READ);
    requeue("of -1", -1, IOM_READ);
    file = open("/etc/passwd", O_RDONLY);
    requeue("of a file", file, IOM_READ);
    pair(s);
    printf("add %d\n", iom_add(&c, s[0], IOM_READ | IOM_WRITE));
    wait_once("a socket", s[0]);
    close(s[1]);
    requeue("after the peer has left", s[0], 0);
    close(s[0]);
    requeue("after a close", s[0], IOM_READ);
    pair(s);
    requeue("of a number that is another file now", s[0], IOM_WRITE);
    printf("add %d\n", iom_add(&c, s[0], IOM_WRITE));
    wait_once("added", s[0]);
    printf("abort %d\n", iom_abort(&c));
    requeue("after an abort", p[0], IOM_READ);
    return 0;
}
