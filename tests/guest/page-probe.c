/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads files page by page and says what each page was:
 *
 *   page-probe MODE,... DIR SIGNED NAME...
 *
 * for each mode (read, direct, mmap) drops the kernel's caches and prints lines
 * "MODE NAME good N failed M": N pages of DIR/NAME like those of SIGNED/NAME, M where
 * it could not be opened or read (EIO) or touched (SIGBUS). Exit status 1 for another
 * byte, another error, or another end. Owns no more than that; the scripts say what has
 * to come out.
 *
 *   page-probe make DIR NAME:SIZE...
 *
 * makes files of random bytes.
 *
 *   page-probe self SIGNED
 *
 * run from the file that is to be tried: touches every page that execve has mapped of
 * it, compares it with SIGNED, and prints "good N". Another byte is exit status 1; a
 * page that can't be had is death by SIGBUS.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE ((size_t) 4096)

typedef struct {
  const char *name;
  int fd;
  int signed_fd;
  uint64_t size; /* of what was signed */
  const volatile uint8_t *mapped;
  uint64_t good;
  uint64_t failed;
} Probe;

static _Noreturn void
die (const char *name, const char *what, uint64_t offset)
{
  fprintf (stderr, "page-probe: %s: %s at %llu: %s\n", name, what,
           (unsigned long long) offset, strerror (errno));
  exit (1);
}

static void
open_signed (Probe *probe, const char *file)
{
  struct stat st;
  probe->name = file;
  probe->signed_fd = open (file, O_RDONLY);
  if (probe->signed_fd < 0 || fstat (probe->signed_fd, &st) < 0)
    die (file, "open what was signed", 0);
  probe->size = (uint64_t) st.st_size;
}

static size_t
read_signed (const Probe *probe, uint8_t page[PAGE], uint64_t offset)
{
  uint64_t left = probe->size - offset;
  size_t size = left < PAGE ? (size_t) left : PAGE;
  if (pread (probe->signed_fd, page, size, (off_t) offset) != (ssize_t) size)
    die (probe->name, "read what was signed", offset);
  return size;
}

/* --- files ------------------------------------------------------------------------ */

static sigjmp_buf touched;

static void
on_sigbus (int number)
{
  (void) number;
  siglongjmp (touched, 1);
}

/* Copies a page out of the mapping; -1 with EIO for SIGBUS. */
static ssize_t
touch_page (const Probe *probe, uint8_t *page, size_t size, uint64_t offset)
{
  if (sigsetjmp (touched, 1) != 0) {
    errno = EIO;
    return -1;
  }
  for (size_t i = 0; i < size; i++)
    page[i] = probe->mapped[offset + i];
  return (ssize_t) size;
}

static void
probe_page (Probe *probe, uint64_t offset)
{
  static uint8_t expected[PAGE];
  static uint8_t page[PAGE] __attribute__ ((aligned (PAGE)));
  size_t size = read_signed (probe, expected, offset);
  ssize_t got = probe->mapped != NULL ? touch_page (probe, page, size, offset)
                                      : pread (probe->fd, page, PAGE, (off_t) offset);
  if (got < 0 && errno != EIO)
    die (probe->name, "another error than EIO", offset);
  if (got >= 0 && ((size_t) got != size || memcmp (page, expected, size) != 0))
    die (probe->name, "WRONG BYTES", offset);
  *(got < 0 ? &probe->failed : &probe->good) += 1;
}

static void
map_file (Probe *probe)
{
  struct sigaction action = { .sa_handler = on_sigbus };
  sigaction (SIGBUS, &action, NULL);
  void *mapped
    = mmap (NULL, (size_t) probe->size, PROT_READ, MAP_PRIVATE, probe->fd, 0);
  if (mapped == MAP_FAILED)
    die (probe->name, "mmap", 0);
  probe->mapped = mapped;
}

static void
probe_pages (Probe *probe, const char *mode, const char *file)
{
  uint64_t pages = (probe->size + PAGE - 1) / PAGE;
  probe->fd
    = open (file, strcmp (mode, "direct") == 0 ? O_RDONLY | O_DIRECT : O_RDONLY);
  if (probe->fd < 0 && errno != EIO)
    die (probe->name, "another error than EIO from open", 0);
  if (probe->fd < 0) {
    probe->failed = pages;
    return;
  }
  if (strcmp (mode, "mmap") == 0)
    map_file (probe);
  for (uint64_t i = 0; i < pages; i++)
    probe_page (probe, i * PAGE);
  if (probe->mapped != NULL)
    munmap ((void *) (uintptr_t) probe->mapped, (size_t) probe->size);
  close (probe->fd);
}

static void
probe_file (const char *mode, const char *dir, const char *signed_dir, const char *name)
{
  char file[4096];
  Probe probe = { .fd = -1 };
  snprintf (file, sizeof file, "%s/%s", signed_dir, name);
  open_signed (&probe, file);
  probe.name = name;
  snprintf (file, sizeof file, "%s/%s", dir, name);
  probe_pages (&probe, mode, file);
  close (probe.signed_fd);
  printf ("%s %s good %llu failed %llu\n", mode, name, (unsigned long long) probe.good,
          (unsigned long long) probe.failed);
}

static void
drop_caches (void)
{
  int fd = open ("/proc/sys/vm/drop_caches", O_WRONLY);
  sync ();
  if (fd < 0 || write (fd, "3", 1) != 1)
    die ("caches", "drop", 0);
  close (fd);
}

static void
make_file (const char *dir, char *name)
{
  char file[4096];
  static uint8_t bytes[4096];
  char *colon = strchr (name, ':');
  uint64_t size = strtoull (colon + 1, NULL, 10);
  *colon = '\0';
  snprintf (file, sizeof file, "%s/%s", dir, name);
  int fd = open (file, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (fd < 0)
    die (file, "make", 0);
  for (uint64_t at = 0; at < size; at += sizeof bytes) {
    size_t now = size - at < sizeof bytes ? (size_t) (size - at) : sizeof bytes;
    if (getrandom (bytes, now, 0) != (ssize_t) now
        || write (fd, bytes, now) != (ssize_t) now)
      die (file, "write", at);
  }
  close (fd);
}

/* --- the program itself ----------------------------------------------------------- */

/* The pages of a segment that the program can't have written to. */
static void
compare_segment (Probe *probe, uintptr_t base, const ElfW (Phdr) * segment)
{
  const uint8_t *memory = (const uint8_t *) (base + segment->p_vaddr);
  uint64_t start = segment->p_offset / PAGE * PAGE;
  uint64_t end = segment->p_offset + segment->p_filesz;
  for (uint64_t at = start; at < end; at += PAGE) {
    uint8_t expected[PAGE];
    size_t size = read_signed (probe, expected, at);
    if (size > end - at)
      size = (size_t) (end - at);
    if (memcmp (memory - (segment->p_offset - at), expected, size) != 0)
      die (probe->name, "WRONG BYTES in memory", at);
    probe->good++;
  }
}

/* The first object that dl_iterate_phdr() shows is the program itself. */
static int
compare_program (struct dl_phdr_info *info, size_t size, void *context)
{
  (void) size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW (Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) == 0)
      compare_segment (context, info->dlpi_addr, segment);
  }
  return 1;
}

static void
probe_self (const char *signed_file)
{
  Probe probe = { .fd = -1 };
  open_signed (&probe, signed_file);
  dl_iterate_phdr (compare_program, &probe);
  printf ("good %llu\n", (unsigned long long) probe.good);
}

static void
probe_files (char *modes, int argc, char **argv)
{
  char *rest = NULL;
  for (char *mode = strtok_r (modes, ",", &rest); mode != NULL;
       mode = strtok_r (NULL, ",", &rest)) {
    drop_caches ();
    for (int i = 4; i < argc; i++)
      probe_file (mode, argv[2], argv[3], argv[i]);
  }
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "self") == 0) {
    probe_self (argv[2]);
    return 0;
  }
  if (argc < 4 || (argc < 5 && strcmp (argv[1], "make") != 0)) {
    fprintf (stderr, "usage: page-probe read,direct,mmap DIR SIGNED NAME...\n"
                     "       page-probe make DIR NAME:SIZE...\n"
                     "       page-probe self SIGNED\n");
    return 2;
  }
  if (strcmp (argv[1], "make") != 0) {
    probe_files (argv[1], argc, argv);
    return 0;
  }
  for (int i = 3; i < argc; i++)
    make_file (argv[2], argv[i]);
  return 0;
}
