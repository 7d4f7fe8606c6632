/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes to a disk's image behind the back of the file system that is on it, and owns
 * no more than that: what a reader must make of it is the scripts' affair.
 *
 *   raw-strike extents IMAGE: for each line "FILE OFFSET VALUE" on standard input, puts
 *   VALUE (0 to 255; "flip" changes a bit) at that offset of the file, also beyond its
 *   end, in the image of the ext4 that the file is on.
 *
 *   raw-strike btrfs IMAGE: for each line "COPY OFFSET WHAT" on standard input, COPY
 *   having the same bytes as something in the image of a btrfs that is not mounted
 *   (contents, a Merkle tree, a descriptor), flips a bit where the image has those 32
 *   bytes. Checksums of tree blocks are made to fit; if WHAT is "sum", the one of the
 *   block of data, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXTENTS 256
#define BLOCK ((size_t) 4096)
#define PATTERN ((size_t) 32)
#define NODE ((size_t) 16384) /* mkfs.btrfs's default */
#define NODE_SUMMED 32        /* what a tree block's checksum is of begins here */
#define SUPER 65536
#define FSID_SIZE 16
#define NODES 1024

typedef struct {
  char *file;
  uint64_t offset;
  char *word;
} Line;

static _Noreturn void
die (const char *object, const char *what)
{
  fprintf (stderr, "raw-strike: %s: %s: %s\n", object, what, strerror (errno));
  exit (1);
}

static bool
next_line (Line *line)
{
  static char text[8192];
  if (fgets (text, sizeof text, stdin) == NULL)
    return false;
  char *rest = NULL;
  line->file = strtok_r (text, " \n", &rest);
  char *offset = strtok_r (NULL, " \n", &rest);
  line->word = strtok_r (NULL, " \n", &rest);
  if (offset == NULL || line->word == NULL)
    die (line->file, "malformed line");
  line->offset = strtoull (offset, NULL, 10);
  return true;
}

/* --- ext4 ------------------------------------------------------------------------- */

/* Where OFFSET of the file is on its disk; files go on behind their end. */
static uint64_t
place_of (const Line *line)
{
  static union {
    struct fiemap head;
    uint8_t bytes[sizeof (struct fiemap) + EXTENTS * sizeof (struct fiemap_extent)];
  } map;
  int fd = open (line->file, O_RDONLY | O_CLOEXEC);
  memset (&map, 0, sizeof map);
  map.head.fm_length = FIEMAP_MAX_OFFSET;
  map.head.fm_flags = FIEMAP_FLAG_SYNC;
  map.head.fm_extent_count = EXTENTS;
  if (fd < 0 || ioctl (fd, FS_IOC_FIEMAP, &map) < 0)
    die (line->file, "find its extents");
  close (fd);
  for (uint32_t i = 0; i < map.head.fm_mapped_extents; i++) {
    const struct fiemap_extent *extent = &map.head.fm_extents[i];
    if (line->offset >= extent->fe_logical
        && line->offset < extent->fe_logical + extent->fe_length)
      return extent->fe_physical + (line->offset - extent->fe_logical);
  }
  die (line->file, "nothing is there");
}

static void
strike_extents (uint8_t *image)
{
  Line line;
  while (next_line (&line)) {
    uint8_t *byte = image + place_of (&line);
    *byte = strcmp (line.word, "flip") == 0 ? *byte ^ 1
                                            : (uint8_t) strtoul (line.word, NULL, 10);
  }
}

/* --- btrfs ------------------------------------------------------------------------ */

typedef struct {
  int fd;
  uint8_t *image;
  uint64_t nodes[NODES]; /* tree blocks that were changed */
  size_t n_nodes;
} Btrfs;

static void
put_crc32c (uint8_t *place, const uint8_t *data, size_t size)
{
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < size; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
  }
  crc = ~crc;
  for (int i = 0; i < 4; i++)
    place[i] = (uint8_t) (crc >> (8 * i));
}

/* Writes; a tree block there will need another checksum. */
static void
put (Btrfs *btrfs, uint64_t at, const uint8_t *data, size_t size)
{
  uint64_t node = at - at % NODE;
  if (memcmp (btrfs->image + node + NODE_SUMMED, btrfs->image + SUPER + NODE_SUMMED,
              FSID_SIZE)
      == 0) {
    if (btrfs->n_nodes == NODES)
      die ("image", "too many tree blocks");
    btrfs->nodes[btrfs->n_nodes++] = node;
  }
  memcpy (btrfs->image + at, data, size);
}

/* Puts DATA wherever the image, but for its holes, has PATTERN. */
static void
replace (Btrfs *btrfs, const uint8_t *pattern, size_t pattern_size, const uint8_t *data,
         size_t size)
{
  size_t found = 0;
  off_t end = 0;
  off_t start;
  while ((start = lseek (btrfs->fd, end, SEEK_DATA)) >= 0) {
    end = lseek (btrfs->fd, start, SEEK_HOLE);
    const uint8_t *limit = btrfs->image + end;
    const uint8_t *at = btrfs->image + start;
    while ((at = memmem (at, (size_t) (limit - at), pattern, pattern_size)) != NULL) {
      put (btrfs, (uint64_t) (at - btrfs->image), data, size);
      at++;
      found++;
    }
  }
  if (found == 0)
    die ("image", "nothing like these bytes");
}

/* The sums of neighbouring blocks are neighbours in the checksum tree. */
static void
fit_data (Btrfs *btrfs, uint8_t *copy, uint64_t offset)
{
  uint8_t sums[8];
  uint8_t sum[4];
  uint64_t start = offset - offset % BLOCK;
  put_crc32c (sums, copy + start, BLOCK);
  put_crc32c (sums + 4, copy + start + BLOCK, BLOCK);
  copy[offset] ^= 1;
  put_crc32c (sum, copy + start, BLOCK);
  replace (btrfs, sums, sizeof sums, sum, sizeof sum);
}

static void
strike_copy (Btrfs *btrfs, const Line *line)
{
  struct stat st;
  int fd = open (line->file, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat (fd, &st) < 0)
    die (line->file, "open");
  uint8_t *copy
    = mmap (NULL, (size_t) st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (copy == MAP_FAILED)
    die (line->file, "map");
  close (fd);
  uint8_t other = copy[line->offset] ^ 1;
  replace (btrfs, copy + line->offset, PATTERN, &other, 1);
  if (strcmp (line->word, "sum") == 0)
    fit_data (btrfs, copy, line->offset);
  munmap (copy, (size_t) st.st_size);
}

static void
strike_btrfs (int fd, uint8_t *image)
{
  static Btrfs btrfs;
  Line line;
  btrfs.fd = fd;
  btrfs.image = image;
  while (next_line (&line))
    strike_copy (&btrfs, &line);
  for (size_t i = 0; i < btrfs.n_nodes; i++) {
    uint8_t *node = image + btrfs.nodes[i];
    put_crc32c (node, node + NODE_SUMMED, NODE - NODE_SUMMED);
  }
}

int
main (int argc, char **argv)
{
  struct stat st;
  if (argc != 3) {
    fprintf (stderr, "usage: raw-strike extents|btrfs IMAGE\n");
    return 2;
  }
  int fd = open (argv[2], O_RDWR | O_CLOEXEC);
  if (fd < 0 || fstat (fd, &st) < 0)
    die (argv[2], "open");
  uint8_t *image
    = mmap (NULL, (size_t) st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (image == MAP_FAILED)
    die (argv[2], "map");
  if (strcmp (argv[1], "extents") == 0)
    strike_extents (image);
  else
    strike_btrfs (fd, image);
  if (msync (image, (size_t) st.st_size, MS_SYNC) < 0 || fsync (fd) < 0)
    die (argv[2], "sync");
  return 0;
}
