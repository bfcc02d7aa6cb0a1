# Takes our headers back to 0.34 where they are meant to differ from those of libowfat 0.34; all else must be equal.

# Nothing looks at these but the library, which touches them only atomically.
s/^  int working;$/  volatile int working;/
s/^  unsigned int h, l;$/  volatile unsigned int h, l;/
