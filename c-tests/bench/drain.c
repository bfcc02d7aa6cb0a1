/* The client of the programs that send, started by drain.h: drain PORT
 *
 * It throws away what it gets without looking at it, many batches at a time, so that the sender is what is
 * measured; in the end it says how many bytes these were. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORTH_WAKING_UP (32 << 10)

__attribute__((noreturn)) static void die(const char* what) {
  perror(what);
  exit(2);
}

int main(int argc, char** argv) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int s = socket(AF_INET, SOCK_STREAM, 0), low = WORTH_WAKING_UP;
  uint64_t got = 0;
  ssize_t n;
  if (argc != 2) return 2;
  a.sin_port = htons((uint16_t)atoi(argv[1]));
  if (s == -1 || connect(s, (struct sockaddr*)&a, sizeof a) == -1) die("connect");
  if (setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == -1) die("SO_RCVLOWAT");
  while ((n = recv(s, NULL, 1 << 30, MSG_TRUNC)) > 0) got += (uint64_t)n;
  if (n == -1) die("recv");
  return write(s, &got, sizeof got) == sizeof got ? 0 : 2;
}
