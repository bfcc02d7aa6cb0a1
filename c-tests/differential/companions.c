/* promise: The same answers as libowfat */
/* tai_*, taia_*, array_*, uint16_*, uint32_* and uint64_* on corner cases and pseudo-random input: every answer is printed,
   and libowfat's and ours must print the same. Left out: what 0.32 does not define (array_shift, array_chop,
   taia_fmtfrac), what it crashes on or takes from freed memory (NULL, lengths in members of no size, parts past
   the end, an array that must move to take itself), bytes that a shortened array shows again (there 0.32 keeps
   the old ones, against its manual; ours are 0), the clock, and how far an array grows ahead of its need. */
#define NO_UINT16_MACROS
#define NO_UINT32_MACROS
#define NO_UINT64_MACROS
#include "array.h"
#include "taia.h"
#include "uint16.h"
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define BIG 9223372036854775807LL

static const uint64 seconds[] = {0, 1, 2, 4611686018427387914ULL, (uint64)BIG, (uint64)BIG + 1, ~0ULL - 1, ~0ULL};
static const uint32 parts[] = {0, 1, 2, 499999999, 500000000, 999999998, 999999999,
                               1000000000, 1000000001, 1999999999, 2000000000, 4294967295U};

static uint64 next_random(void) {
    static uint64 s = 88172645463325252ULL;
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return s;
}

static tai6464 random_label(void) {
    tai6464 t;
    int valid = next_random() % 2;
    t.sec.x = next_random() % 3 ? next_random() : seconds[next_random() % COUNT(seconds)];
    t.nano = next_random() % 3 ? (uint32)next_random() : parts[next_random() % COUNT(parts)];
    t.atto = next_random() % 3 ? (uint32)next_random() : parts[next_random() % COUNT(parts)];
    if (valid) {
        t.nano %= 1000000000;
        t.atto %= 1000000000;
    }
    return t;
}

static void show(const char *what, const tai6464 *t) {
    printf(" %s %llu.%lu.%lu", what, (unsigned long long)t->sec.x, (unsigned long)t->nano, (unsigned long)t->atto);
}

static void show_bytes(const char *what, const char *p, size_t n) {
    printf(" %s ", what);
    while (n--) printf("%02x", *p++ & 255);
}

static void one_label(tai6464 t) {
    char buf[TAIA_PACK + 1];
    tai6464 r;
    tai64 s;
    show("\nlabel", &t);
    taia_half(&r, &t);
    show("half", &r);
    r = t;
    taia_half(&r, &r);
    show("in place", &r);
    printf(" approx %a frac %a %a", taia_approx(&t), taia_frac(&t), tai_approx(&t.sec));
    taia_pack(buf + 1, &t); /* an odd address */
    show_bytes("pack", buf + 1, TAIA_PACK);
    memmove(buf, buf + 1, TAIA_PACK);
    taia_unpack(buf, &r);
    show("unpack", &r);
    taia_tai(&t, &s);
    tai_pack(buf, &s);
    show_bytes("tai", buf, TAI_PACK);
    tai_unpack(buf + 1, &s);
    printf(" %llx", (unsigned long long)s.x);
    tai_uint(&s, t.nano);
    taia_uint(&r, t.atto);
    printf(" %llx", (unsigned long long)s.x);
    show("uint", &r);
}

static void two_labels(tai6464 a, tai6464 b) {
    tai6464 r;
    tai64 s;
    show("\npair", &a);
    show("and", &b);
    printf(" less %d%d%d", taia_less(&a, &b), taia_less(&b, &a), taia_less(&a, &a));
    taia_add(&r, &a, &b);
    show("add", &r);
    taia_sub(&r, &a, &b);
    show("sub", &r);
    r = a;
    taia_add(&r, &r, &r);
    show("double", &r);
    r = b;
    taia_sub(&r, &a, &r);
    show("in place", &r);
    taia_sub(&r, &r, &r);
    show("zero", &r);
    tai_add(&s, &a.sec, &b.sec);
    printf(" tai %llx", (unsigned long long)s.x);
    tai_sub(&s, &a.sec, &b.sec);
    printf(" %llx", (unsigned long long)s.x);
    taia_addsec(&r, &a, (long)b.sec.x);
    show("addsec", &r);
}

static void labels(void) {
    static const long add[] = {0, 1, -1, 10, -10, 2147483647L, -2147483647L - 1, (long)BIG, -(long)BIG - 1};
    size_t i, j, k;
    tai6464 t, u;
    for (i = 0; i < COUNT(seconds); i++)
        for (j = 0; j < COUNT(parts); j++)
            for (k = 0; k < COUNT(parts); k++) {
                t.sec.x = seconds[i];
                t.nano = parts[j];
                t.atto = parts[k];
                one_label(t);
                two_labels(t, random_label());
            }
    for (i = 0; i < COUNT(seconds); i++)
        for (j = 0; j < COUNT(add); j++) {
            t.sec.x = seconds[i];
            t.nano = parts[i];
            t.atto = parts[j];
            taia_addsec(&u, &t, add[j]);
            show("\naddsec", &u);
            taia_addsec(&t, &t, add[j]);
            show("in place", &t);
        }
    for (i = 0; i < 1500; i++) {
        one_label(random_label());
        two_labels(random_label(), random_label());
    }
}

static void numbers(void) {
    char buf[24];
    int i;
    for (i = 0; i < 400; i++) {
        char *p = buf + i % 9; /* every alignment */
        uint64 n = i < 16 ? seconds[i % 8] >> (i & 8) : next_random(), m = 0;
        uint32 w = (uint32)(n >> 7), v = 0;
        uint16 h = (uint16)(n >> 3), g = 0;
        memset(buf, 0x55, sizeof buf);
        uint64_pack(p, n);
        uint64_pack_big(p + 8, n);
        show_bytes("\n64", buf, sizeof buf);
        uint64_unpack(p + 1, &m);
        printf(" %llx", (unsigned long long)m);
        uint64_unpack_big(p + 3, &m);
        printf(" %llx %llx %llx", (unsigned long long)m, (unsigned long long)uint64_read(p + 5),
               (unsigned long long)uint64_read_big(p + 7));
        uint32_pack(p, w);
        uint32_pack_big(p + 4, w);
        show_bytes("32", buf, sizeof buf);
        uint32_unpack(p + 1, &v);
        printf(" %lx", (unsigned long)v);
        uint32_unpack_big(p + 3, &v);
        printf(" %lx %lx %lx", (unsigned long)v, (unsigned long)uint32_read(p + 5),
               (unsigned long)uint32_read_big(p + 7));
        uint16_pack(p, h);
        uint16_pack_big(p + 2, h);
        show_bytes("16", buf, sizeof buf);
        uint16_unpack(p + 1, &g);
        printf(" %x", (unsigned)g);
        uint16_unpack_big(p + 3, &g);
        printf(" %x %x %x", (unsigned)g, (unsigned)uint16_read(p + 5), (unsigned)uint16_read_big(p + 7));
    }
}

/* Where a pointer points; the contents as a checksum, because random arrays grow long. */
static void state(const char *what, const array *x, const void *p) {
    uint64 i, sum = 0;
    for (i = 0; x->p && i < x->initialized; i++) sum = sum * 31 + (unsigned char)x->p[i];
    printf("\n%s: bytes %lld length %lld %lld failed %d sum %llx room %d headroom %lu start %d at %lld", what,
           (long long)array_bytes(x), (long long)array_length(x, 3), (long long)array_length(x, ~0ULL),
           array_failed(x), (unsigned long long)sum, x->allocated >= (int64)x->initialized,
           (unsigned long)x->headroom, array_start(x) == x->p, p ? (long long)((const char *)p - x->p) : -1LL);
}

static void sizes(void) {
    static const uint64 member[] = {1, 2, 3, 7, 8, 24, 48, 100, 4096, ~0ULL, 1ULL << 63, 1ULL << 62, BIG};
    static const int64 pos[] = {-BIG - 1, -1, 0, 1, 2, 10, 63, 127, 128, 1000, 1LL << 40, 1LL << 62, BIG};
    size_t i, j;
    array full = {0, 0, 0, 0};
    array_cats(&full, "0123456789");
    for (i = 0; i < COUNT(member); i++)
        for (j = 0; j < COUNT(pos); j++) {
            array x = {0, 0, 0, 0};
            void *p = array_allocate(&x, member[i], pos[j]);
            state("fresh", &x, p);
            printf(" allocated %lld", (long long)x.allocated);
            state("get", &full, array_get(&full, member[i], pos[j]));
            x.headroom = i; /* stays, whatever happens */
            array_cats0(&x, "0123456789");
            array_truncate(&x, member[i], pos[j]);
            state("truncate", &x, NULL);
            array_fail(&x);
            state("fail", &x, array_get(&x, member[i], pos[j]));
            array_truncate(&x, member[i], pos[j]);
            state("fail", &x, array_allocate(&x, member[i], pos[j]));
            array_reset(&x);
            state("reset", &x, NULL);
        }
    state("no size", &full, array_get(&full, 0, 5));
    state("no size", &full, array_allocate(&full, 0, 5));
    array_truncate(&full, 0, 5);
    state("no size", &full, array_get(&full, 0, 0));
    array_reset(&full);
}

static void ranges(void) {
    static const int64 range[][2] = {{0, 0}, {0, 5},   {1, 3},     {3, 3},   {5, 5},     {-1, 2},     {3, 2}, {-5, -3},
                                     {4, 5}, {-5, -5}, {100, 100}, {BIG, 0}, {BIG, BIG}, {0, -BIG - 1}, {-BIG - 1, BIG}};
    size_t i;
    array from = {0, 0, 0, 0};
    array_cats(&from, "01234");
    for (i = 0; i < COUNT(range); i++) {
        array x = {0, 0, 0, 0};
        array_cate(&x, &from, range[i][0], range[i][1]);
        state("part", &x, NULL);
        array_cate(&x, &from, range[i][0], range[i][1]);
        array_cats(&x, "x");
        state("part", &x, NULL);
        array_reset(&x);
        array_cats(&x, "012345");
        array_cate(&x, &x, range[i][0], range[i][1]);
        state("own part", &x, NULL);
        array_reset(&x);
    }
    array_catb(&from, "x", ~0ULL);
    state("too much", &from, NULL);
    array_catb(&from, NULL, 0);
    state("nothing", &from, NULL);
    array_reset(&from);
    array_catb(&from, NULL, 0);
    state("nothing", &from, NULL);
}

/* Members that come back after a truncate are 0 only in ours, so they get the same value in both. */
static void *allocate(array *x, uint64 member, int64 pos) {
    uint64 old = x->initialized;
    void *p = array_allocate(x, member, pos);
    if (p && x->initialized > old) memset(x->p + old, (int)old, x->initialized - old);
    return p;
}

static void make_room(array *x) {
    int64 n = array_bytes(x);
    allocate(x, 2, n);
    array_truncate(x, 1, n);
}

static void random_arrays(void) {
    static char text[700];
    array x[4];
    int i;
    memset(x, 0, sizeof x);
    for (i = 0; i < (int)sizeof text; i++) text[i] = (char)(i + 1 < (int)sizeof text ? 'a' + i % 23 : 0);
    for (i = 0; i < 6000; i++) {
        array *a = &x[next_random() % 4];
        const array *b = &x[next_random() % 4];
        uint64 n = next_random() % 600;
        void *p = NULL;
        switch (next_random() % 14) {
        case 0:
            make_room(a);
            array_cat(a, b);
            break;
        case 1: array_catb(a, text, n); break;
        case 2: array_cats(a, text + sizeof text - 1 - n); break;
        case 3: array_cats0(a, text + sizeof text - 1 - n); break;
        case 4: array_cat0(a); break;
        case 5:
            make_room(a);
            if (array_bytes(b) > 1) array_cate(a, b, (int64)(n % b->initialized / 2), (int64)(n % b->initialized));
            break;
        case 6: array_truncate(a, n % 9, (int64)(next_random() % 200) - 2); break;
        case 7: p = allocate(a, n % 60 + 1, (int64)(next_random() % 50) - 2); break;
        case 8: p = array_get(a, n % 60, (int64)(next_random() % 50) - 2); break;
        case 9: array_trunc(a); break;
        case 10: array_reset(a); break;
        case 11:
            if (n < 100) array_fail(a);
            break;
        default: p = array_get(a, 1, (int64)n);
        }
        state("random", a, p);
        printf(" equal %d %d unallocated %d", array_equal(a, b), array_equal(b, b), array_unallocated(a));
        if (array_bytes(a) > 100000) array_reset(a);
    }
    for (i = 0; i < 4; i++) array_reset(&x[i]);
}

int main(void) {
    labels();
    numbers();
    sizes();
    ranges();
    random_arrays();
    putchar('\n');
    return 0;
}
