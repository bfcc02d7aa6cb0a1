/* The macros and inline functions of uint64.h, uint32.h and uint16.h at odd addresses, in C and in C++; run by headers.sh under the
   sanitizer of undefined behaviour, without the library. */
#include "tai.h"
#include "uint16.h"
#include "uint32.h"
#include "uint64.h"
#include <string.h>

int main(void) {
#if (defined(__i386__) || defined(__x86_64__)) && defined(__GNUC__)
    static const char le64[] = {8, 7, 6, 5, 4, 3, 2, 1}, le32[] = {4, 3, 2, 1}, be32[] = {1, 2, 3, 4},
                      le16[] = {2, 1}, be16[] = {1, 2};
    char buf[17];
    uint64 n = 0;
    uint32 m = 0;
    uint16 k = 0;
    int64 any = 0;
    unsigned char *bytes = (unsigned char *)buf;
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
    uint16_pack(buf + 7, 0x0102);
    if (memcmp(buf + 7, le16, 2) || uint16_read(buf + 7) != 0x0102) return 9;
    uint16_pack_big(buf + 9, 0x0102);
    if (memcmp(buf + 9, be16, 2) || uint16_read_big(buf + 9) != 0x0102) return 10;
    uint16_unpack(buf + 7, &k);
    if (k != 0x0102) return 11;
    uint16_unpack_big(buf + 7, &k);
    if (k != 0x0201) return 12;
    uint64_pack_big(buf + 1, 0x0102030405060708ULL);
    if (uint64_read_big(buf + 1) != 0x0102030405060708ULL || uint64_read(buf + 1) != 0x0807060504030201ULL) return 13;
    uint64_unpack_big(buf + 1, &n);
    if (n != 0x0102030405060708ULL) return 14;
    if (fmt_uint16(NULL, 1) != 2 || fmt_uint32_big(NULL, 1) != 4 || fmt_uint64(NULL, 1) != 8) return 15;
    if (fmt_uint32_big(buf + 3, 0x01020304) != 4 || memcmp(buf + 3, be32, 4)) return 16;
    if (fmt_uint16_big(buf + 3, 0x0102) != 2 || memcmp(buf + 3, be16, 2)) return 17;
    if (fmt_uint64(buf + 3, 0x0102030405060708ULL) != 8 || memcmp(buf + 3, le64, 8)) return 18;
    m = 7;
    if (scan_uint32(buf + 3, 3, &m) != 0 || m != 7 || scan_uint32(buf + 3, 4, &m) != 4 || m != 0x05060708) return 19;
    if (scan_uint16_big(buf + 3, 9, &k) != 2 || k != 0x0807 || scan_uint64_big(buf + 3, 7, &n) != 0) return 20;
    /* The kinds of pointers that libowfat's macros took. */
    uint64_pack(bytes + 1, 0x0102030405060708ULL);
    if (memcmp(buf + 1, le64, 8) || uint64_read(bytes + 1) != 0x0102030405060708ULL) return 21;
    uint64_unpack(bytes + 1, &any);
    if (any != 0x0102030405060708LL) return 22;
#ifdef __cplusplus
    n = 0x1122334455667788ULL;
    m = 0x11223344;
    k = 0x1122;
    uint16_pack(bytes + 1, k);
    uint32_pack_big(bytes + 3, m);
    if (uint16_read(bytes + 1) != k || uint32_read_big(bytes + 3) != m || uint32_read(bytes + 3) != 0x44332211) return 23;
    if (uint_read(&n) != n || uint_read(&m) != m || uint_read_big(&k) != 0x2211) return 24;
#endif
#endif
    tai64 t, u;
    tai_unix(&t, 0);
    tai_unix(&u, 1);
    if (!tai_less(&t, &u) || tai_less(&u, &t)) return 7;
    t.x = 8;
    return tai_approx(&t) < 8 || tai_approx(&t) > 8 ? 8 : 0;
}
