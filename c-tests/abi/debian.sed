# Takes our headers back to 0.32 where they are meant to differ from those of Debian's libowfat-dev; all else must be
# equal.

# 0.34 added it at the end. Only the iob_init functions and what they mark look at it, so that a program with the
# shorter structure works as well.
/^  int autofree;$/d

# int in 0.32, size_t since 0.34. It is a hint: what a caller of either kind leaves in the register does no harm.
s/^io_batch \*iob_new(size_t hint_entries);$/io_batch *iob_new(int hint_entries);/
