/* ThreadSanitizer does not see the library's lock, for the library is not instrumented. This says what a caller may
 * rely on, and no more: what a thread has done before it hands a descriptor to the library is seen by a thread that
 * is given the descriptor, or its cookie, later. Linked in with -Wl,--wrap. */
#include "io.h"

void __tsan_acquire(void *at);
void __tsan_release(void *at);

static char lock;

#define HANDS_OVER(type, name, parameters, ...)                                                \
  type __real_##name parameters;                                                               \
  type __wrap_##name parameters;                                                               \
  type __wrap_##name parameters {                                                              \
    __tsan_release(&lock);                                                                     \
    return __real_##name(__VA_ARGS__);                                                         \
  }

#define IS_GIVEN(type, name, parameters, ...)                                                  \
  type __real_##name parameters;                                                               \
  type __wrap_##name parameters;                                                               \
  type __wrap_##name parameters {                                                              \
    type given = __real_##name(__VA_ARGS__);                                                   \
    __tsan_acquire(&lock);                                                                     \
    return given;                                                                              \
  }

HANDS_OVER(void, io_setcookie, (int64 d, void *cookie), d, cookie)
HANDS_OVER(void, io_wantread, (int64 d), d)
HANDS_OVER(void, io_wantwrite, (int64 d), d)
HANDS_OVER(int, io_queueforread, (int64 d), d)
HANDS_OVER(int, io_queueforwrite, (int64 d), d)
HANDS_OVER(void, io_timeout, (int64 d, tai6464 t), d, t)
IS_GIVEN(int64, io_canread, (void))
IS_GIVEN(int64, io_canwrite, (void))
IS_GIVEN(int64, io_timeouted, (void))
IS_GIVEN(void *, io_getcookie, (int64 d), d)
