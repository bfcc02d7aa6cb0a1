/* Injects faults, and records what is released.
 *
 * A program that includes this interposes functions of the C library: the dynamic linker finds the ones below first.
 * While `fault.armed` is set, calls are counted by kind, and the call that the rule names fails or comes up short.
 * All others go through. fault_own records what the library has to release. Released memory is only overwritten, and
 * a released mapping only protected, so that no other block gets the address until fault_end_books.
 *
 * | file | what is in it |
 * |---|---|
 * | faults/plan.h | the kinds of calls, the rule, and what the armed calls have shown |
 * | faults/transfers.h, calls.h, memory.h | the interposed functions |
 * | faults/books.h | what has to be released |
 *
 * A function that is not interposed cannot be made to fail. So tests check that the fault was reached (`fault.hit`),
 * and that every byte which left the library passed through here (`fault.moved`). */
#ifndef FAULTS_H
#define FAULTS_H
#include "faults/calls.h"
#include "faults/memory.h"
#include "faults/transfers.h"

#endif
