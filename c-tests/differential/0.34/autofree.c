/* promise: The same answers as libowfat */
/* Batches of 0.34: when their files are closed, and what becomes of the member autofree. Left out: what 0.34 does when a
   batch is completely sent (batch.0.34). */
#include <fcntl.h>
#include <libowfat/io.h>
#include <libowfat/iob.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int is_open(int d) { return fcntl(d, F_GETFD) != -1; }

static int64 one(int64 s, const void *bytes, uint64 n) {
    (void)s;
    (void)bytes;
    return n ? 1 : 0;
}

/* A file that is sent, then more than the socket takes. */
static void fill(const char *what, io_batch *b) {
    static char big[1 << 20];
    int d[2], room = 4096, file;
    int64 r;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, d) == -1) perror("socketpair");
    setsockopt(d[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    io_fd(d[0]);
    io_nonblock(d[0]);
    file = open("/etc/hostname", O_RDONLY);
    printf("%s: autofree %d\n", what, b->autofree);
    printf("  add %d", iob_addfile_close(b, file, 0, 3));
    printf(" %d\n", iob_addbuf(b, big, sizeof big));
    r = iob_send(d[0], b);
    printf("  sent more than the file: %d, autofree %d, file open: %d\n", r > 3, b->autofree, is_open(file));
    iob_reset(b);
    printf("  reset: autofree %d, file open: %d, left %d\n", b->autofree, is_open(file), (int)iob_bytesleft(b));
    io_close(d[0]);
    close(d[1]);
}

static void filter(const char *what, io_batch *b) {
    int file = open("/etc/hostname", O_RDONLY), i;
    printf("%s: add %d", what, iob_addfile_close(b, file, 0, 1));
    printf(" %d\n", iob_adds(b, "ab"));
    for (i = 0; i < 2; i++) {
        int64 r = iob_write(1, b, one);
        printf("  %d, left %d, file open: %d\n", (int)r, (int)iob_bytesleft(b), is_open(file));
    }
    iob_reset(b);
    printf("  reset: file open: %d, autofree %d\n", is_open(file), b->autofree);
}

int main(void) {
    io_batch b, *n;
    memset(&b, 0x55, sizeof b);
    printf("init %d\n", iob_init(&b, 4));
    fill("plain", &b);
    memset(&b, 0x55, sizeof b);
    printf("init %d\n", iob_init_autofree(&b, 4));
    fill("autofree", &b);
    fill("autofree after a reset", &b);
    printf("init %d\n", iob_init_autofree(&b, 0));
    iob_reset(&b);
    fill("autofree after a reset of nothing", &b);
    n = iob_new_autofree(2);
    fill("new", n);
    fill("new after a reset", n);
    iob_free(n);
    n = iob_new(2);
    fill("new and plain", n);
    iob_free(n);
    printf("init %d\n", iob_init_autofree(&b, 1));
    filter("a filter", &b);
    filter("a filter after a reset", &b);
    return 0;
}
