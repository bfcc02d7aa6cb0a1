/* The client of the programs that send, started by drain.h: drain PORT BURST
 *
 * It throws away what it gets without looking at it. It sleeps until a burst of that many bytes is there, so that
 * the sender is disturbed by nobody, and says so when it has taken them; 0 or more than a socket holds: until it is
 * worth waking up. In the end it says how many bytes it got. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELD_BY_A_SOCKET (1 << 20)
#define WORTH_WAKING_UP (32 << 10)

__attribute__((noreturn)) static void die(const char* what) {
  perror(what);
  exit(2);
}

/* A blocking recv would take what is there and then sleep until as much has come again. */
static void sleep_until_there_are(int s, uint64_t bytes) {
  int low = bytes > HELD_BY_A_SOCKET ? WORTH_WAKING_UP : (int)bytes;
  struct pollfd wait = {.fd = s, .events = POLLIN};
  if (setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == -1) die("SO_RCVLOWAT");
  if (poll(&wait, 1, -1) == -1) die("poll");
}

int main(int argc, char** argv) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int s = socket(AF_INET, SOCK_STREAM, 0);
  uint64_t got = 0, burst, end;
  ssize_t n;
  if (argc != 3) return 2;
  a.sin_port = htons((uint16_t)atoi(argv[1]));
  if (s == -1 || connect(s, (struct sockaddr*)&a, sizeof a) == -1) die("connect");
  if (!(burst = (uint64_t)atoll(argv[2]))) burst = UINT64_MAX;
  end = burst;
  for (;;) {
    sleep_until_there_are(s, end - got);
    if ((n = recv(s, NULL, 1 << 30, MSG_TRUNC | MSG_DONTWAIT)) <= 0) break;
    got += (uint64_t)n;
    if (got < end) continue;
    end += burst;
    if (write(s, "", 1) != 1) die("write");
  }
  if (n == -1) die("recv");
  return write(s, &got, sizeof got) == sizeof got ? 0 : 2;
}
