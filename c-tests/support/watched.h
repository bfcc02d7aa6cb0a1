/* Helpers for tests of OWFAT_IO_TRACE and OWFAT_IO_STATS. The library reads the environment when it is loaded, so a
 * case runs its session in a child that executes the same case again:
 *
 *   TEST(something) {
 *     if (W_SESSION("OWFAT_IO_TRACE", NULL)) { ...; exit(0); }   (in the child; to return would add a shutdown to it)
 *     ... look at w_text() ...
 *   } */
#ifndef WATCHED_H
#define WATCHED_H
#include "loop.h"

/* The child's file, its process number, and its standard error. */
T_HELPER char w_path[64];
T_HELPER pid_t w_child;
T_HELPER char w_said[4096];

#define W_SESSION(variable, path) w_session(variable, path, __func__, NULL)

/* A file name that does not exist. */
T_HELPER void w_name(char path[64]) {
  strcpy(path, "/tmp/owfat-io-watched.XXXXXX");
  CHECK_INT(close(mkstemp(path)), 0);
  CHECK_INT(unlink(path), 0);
}

/* Waits for the child. Nothing may come on standard output. */
T_HELPER void w_listen(int out, int err) {
  ssize_t n, have = 0;
  char c;
  while ((n = read(err, w_said + have, sizeof w_said - 1 - (size_t)have)) > 0) have += n;
  w_said[have] = 0;
  CHECK_INT(read(out, &c, 1), 0);
}

/* 1 in the child; 0 in the parent, when the child has ended. `tool` is put before the program. */
T_HELPER int w_session(const char *variable, const char *path, const char *name, const char *const *tool) {
  int64 out[2], err[2];
  if (getenv("OWFAT_IO_SESSION")) {
    CHECK(strlen(getenv(variable)) < sizeof w_path);
    strcpy(w_path, getenv(variable));
    return 1;
  }
  if (!path) w_name(w_path);
  else if (path != w_path) strcpy(w_path, path);
  t_pipe(out);
  t_pipe(err);
  w_child = fork();
  if (w_child == 0) {
    static char self[4096];
    const char *command[16] = {NULL};
    int n = 0;
    while (tool && tool[n]) command[n] = tool[n], n++;
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    command[n] = self;
    command[n + 1] = name;
    CHECK_INT(setenv(variable, w_path, 1), 0);
    CHECK_INT(setenv("OWFAT_IO_SESSION", "1", 1), 0);
    dup2((int)out[1], 1);
    dup2((int)err[1], 2);
    close((int)out[1]);
    close((int)err[1]);
    close((int)out[0]);
    close((int)err[0]);
    execvp(command[0], (char *const *)command);
    _exit(127);
  }
  CHECK(w_child != -1);
  close((int)out[1]);
  close((int)err[1]);
  w_listen((int)out[0], (int)err[0]);
  return 0;
}

/* Ends the child with success. */
T_HELPER void w_ended_well(void) {
  int status;
  CHECK_INT(waitpid(w_child, &status, 0), w_child);
  if (status != 0) fprintf(stderr, "the session: %s\n", w_said);
  CHECK_INT(status, 0);
}

/* Returns the contents of a file, and removes it. */
T_HELPER char *w_take(const char *path) {
  struct stat file;
  char *text;
  int fd = open(path, O_RDONLY);
  CHECK(fd != -1);
  CHECK_INT(fstat(fd, &file), 0);
  CHECK_INT(file.st_mode, S_IFREG | 0600);
  text = malloc((size_t)file.st_size + 1);
  CHECK(text != NULL);
  CHECK_INT(read(fd, text, (size_t)file.st_size), file.st_size);
  text[file.st_size] = 0;
  CHECK_INT(close(fd), 0);
  CHECK_INT(unlink(path), 0);
  return text;
}

/* So often that the buffer fills up several times. */
T_HELPER void w_be_busy(int n) {
  while (n-- > 0) io_wantread(1000);
}

T_HELPER int w_is_regular(int fd) {
  struct stat file;
  return fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
}

/* Checks that a call that succeeds does not change errno. */
#define W_KEEPS(call)     \
  do {                    \
    errno = 4711;         \
    call;                 \
    CHECK_ERRNO(4711);    \
  } while (0)
#endif
