/* To be included before everything else by a program that hides functions of the C library: with these, the headers
 * would give the functions other names, and those that the library calls would not be hidden. */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
