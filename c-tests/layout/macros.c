/* The macros and inline functions of uint64.h and uint32.h at odd addresses; run by headers.sh under the
   sanitizer of undefined behaviour, without the library. */
#include "tai.h"
#include "uint32.h"
#include "uint64.h"
#include <string.h>

int main(void) {
#if (defined(__i386__) || defined(__x86_64__)) && defined(__GNUC__)
    static const char le64[] = {8, 7, 6, 5, 4, 3, 2, 1}, le32[] = {4, 3, 2, 1}, be32[] = {1, 2, 3, 4};
    char buf[17];
    uint64 n = 0;
    uint32 m = 0;
    uint64_pack(buf + 1, 0x0102030405060708ULL);
    if (memcmp(buf + 1, le64, 8)) return 1;
    uint64_unpack(buf + 1, &n);
    if (n != 0x0102030405060708ULL || uint64_read(buf + 1) != n) return 2;
    uint32_pack(buf + 3, 0x01020304);
    if (memcmp(buf + 3, le32, 4) || uint32_read(buf + 3) != 0x01020304) return 3;
    uint32_pack_big(buf + 5, 0x01020304);
    if (memcmp(buf + 5, be32, 4) || uint32_read_big(buf + 5) != 0x01020304) return 4;
    uint32_unpack(buf + 3, &m);
    if (m != uint32_read(buf + 3)) return 5;
    uint32_unpack_big(buf + 5, &m);
    if (m != 0x01020304) return 6;
#endif
    tai64 t, u;
    tai_unix(&t, 0);
    tai_unix(&u, 1);
    if (!tai_less(&t, &u) || tai_less(&u, &t)) return 7;
    t.x = 8;
    return tai_approx(&t) < 8 || tai_approx(&t) > 8 ? 8 : 0;
}
