/* promise: The same answers as libowfat */
/* iob_write2: what the two callbacks are called with, and what comes of their answers. */
#include <errno.h>
#include <fcntl.h>
#include <libowfat/io.h>
#include <libowfat/iob.h>
#include <stdio.h>
#include <string.h>

static int64 answer_of_bytes, answer_of_file;
static int64 file;

static int64 bytes(int64 s, const void *at, uint64 n) {
    printf("  bytes to %d: %.*s\n", (int)s, (int)n, (const char *)at);
    errno = EAGAIN;
    return answer_of_bytes < (int64)n ? answer_of_bytes : (int64)n;
}

static int64 whole(int64 s, int64 f, uint64 off, uint64 n, io_write_callback cb) {
    printf("  file to %d: %s, %d from %d on, callback %d\n", (int)s, f == file ? "ours" : "another", (int)n, (int)off,
           cb == bytes);
    errno = EAGAIN;
    return answer_of_file < (int64)n ? answer_of_file : (int64)n;
}

static void call(io_batch *b, int64 of_bytes, int64 of_file) {
    int64 r;
    answer_of_bytes = of_bytes;
    answer_of_file = of_file;
    r = iob_write2(7, b, bytes, whole);
    printf("%d %d: %d, left %d\n", (int)of_bytes, (int)of_file, (int)r, (int)iob_bytesleft(b));
}

int main(void) {
    io_batch b;
    memset(&b, 0, sizeof b);
    file = open("/etc/passwd", O_RDONLY);
    printf("add %d", iob_adds(&b, "header"));
    printf(" %d", iob_addfile(&b, file, 2, 30));
    printf(" %d\n", iob_adds(&b, "footer"));
    call(&b, -1, -1);
    call(&b, 3, -1);
    call(&b, 100, -1);
    call(&b, 100, 10);
    call(&b, 100, -1);
    call(&b, 2, 100);
    call(&b, 100, 100);
    call(&b, 100, 100);
    return 0;
}
