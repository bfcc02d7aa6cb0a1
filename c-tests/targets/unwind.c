/* Debian's libgcc finds frames by a function of glibc, which musl has not: the same by what both have. A musl system's
 * own libgcc does without. */
#include <link.h>
#include <stdint.h>

struct dl_find_object {
  unsigned long long flags;
  void *map_start, *map_end;
  void *link_map;
  void *eh_frame;
  unsigned long long reserved[7];
};

struct search {
  uintptr_t pc;
  struct dl_find_object *found;
};

static int look(struct dl_phdr_info *object, size_t size, void *p) {
  struct search *s = p;
  int i, is_here = 0;
  uintptr_t frames = 0;
  (void)size;
  for (i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *h = &object->dlpi_phdr[i];
    uintptr_t at = object->dlpi_addr + h->p_vaddr;
    if (h->p_type == PT_GNU_EH_FRAME) frames = at;
    if (h->p_type != PT_LOAD || s->pc < at || s->pc - at >= h->p_memsz) continue;
    s->found->map_start = (void *)at;
    s->found->map_end = (void *)(at + h->p_memsz);
    is_here = 1;
  }
  s->found->eh_frame = (void *)frames;
  return is_here && frames;
}

int _dl_find_object(void *pc, struct dl_find_object *found) {
  struct search s = {(uintptr_t)pc, found};
  return dl_iterate_phdr(look, &s) ? 0 : -1;
}
