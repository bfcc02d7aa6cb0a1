/* Books of what the library has to release. */
#ifndef FAULTS_BOOKS_H
#define FAULTS_BOOKS_H
#include "plan.h"

T_HELPER struct fault_owned *fault_release(enum fault_kind how, uintptr_t what) {
  int i;
  for (i = 0; i < fault.owners; i++) {
    struct fault_owned *o = fault.owned + i;
    if (o->how != how || o->what != what) continue;
    if (o->times++ == 0) {
      o->order = fault.releases++;
      o->moved = fault.moved;
    }
    return o;
  }
  return NULL;
}

T_HELPER void fault_own(enum fault_kind how, uintptr_t what, size_t size, uint64 until) {
  CHECK(fault.owners < (int)(sizeof fault.owned / sizeof *fault.owned));
  fault.owned[fault.owners++] = (struct fault_owned){how, what, size, until, 0, -1, 0};
}

#endif
