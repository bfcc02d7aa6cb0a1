/* Faults on order, and books of what is released.
 *
 * A program that includes this stands between the library and the C library: the functions below are found
 * first by the dynamic linker. While `fault.armed` is set, calls are counted by kind, and the one that the rule
 * names fails or falls short; all others go through. fault_own enters what the library has to release. Such memory
 * is only overwritten and such a mapping only closed to everybody, so that their addresses stay theirs until
 * fault_end_books.
 *
 * | file | what is in it |
 * |---|---|
 * | faults/plan.h | the kinds of calls, the rule, and what the armed calls have shown |
 * | faults/transfers.h, calls.h, memory.h | the functions that stand between |
 * | faults/books.h | what has to be released |
 *
 * A function of the C library that is not here cannot be made to fail: tests check that what they wanted to fail
 * was reached (`fault.hit`), and that every byte which left the library passed through here (`fault.moved`). */
#ifndef FAULTS_H
#define FAULTS_H
#include "faults/calls.h"
#include "faults/memory.h"
#include "faults/transfers.h"

#endif
