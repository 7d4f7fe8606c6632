/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mount options: what -o and the settings files may say, checked and typed.
 *
 *   g_auto (VtreeMountOptions) options = VTREE_MOUNT_OPTIONS_INIT;
 *   vtree_mount_options_parse (&options, text, sloppy, &error)    each -o, in order
 *   vtree_mount_options_settings (&options, settings, &error)     what -o left open
 *   vtree_mount_options_check (&options, is_root, &error)
 *
 * Options are separated by commas. As in fstab and libfuse, "\,"
 * and "\054" are a comma within a value, and a value may stand in double quotes.
 * Parser of untrusted bytes.
 */
#pragma once

#include "core/digest.h"
#include "core/kernel.h"
#include "core/settings.h"

/* -o texts that are longer than this, together, are refused. */
#define VTREE_MOUNT_OPTIONS_MAX 65536

typedef enum {
  VTREE_OPEN_LAZY = 0,
  VTREE_OPEN_CHECKED
} VtreeOpenMode;
typedef enum {
  VTREE_IO_DAEMON = 0,
  VTREE_IO_PASSTHROUGH, /* implies VTREE_OPEN_CHECKED */
  VTREE_IO_AUTO         /* the daemon */
} VtreeIoMode;
typedef enum {
  VTREE_IO_URING_AUTO = 0, /* where it is to be had */
  VTREE_IO_URING_OFF
} VtreeIoUringMode;
typedef enum {
  VTREE_XATTR_SIGNED = 0,
  VTREE_XATTR_MAGIC
} VtreeXattrMode;
typedef enum {
  VTREE_PREFETCH_ON = 0, /* auto */
  VTREE_PREFETCH_OFF,
  VTREE_PREFETCH_BYTES
} VtreePrefetchMode;

/* In place of a number of KiB: what is good for it, where root mounts; the kernel's
 * own. */
#define VTREE_READAHEAD_AUTO 0u
#define VTREE_READAHEAD_OFF UINT32_MAX
#define VTREE_READAHEAD_MAX_KIB 65536

typedef struct {
  char *objects; /* NULL: the default */
  char *key;     /* NULL: the trust directories */
  char *ref;     /* NULL: none */
  char *log;     /* NULL: "syslog" */
  char *fsname;  /* NULL: the source */
  bool has_digest, has_uid, has_gid;
  VtreeDigest digest;
  uint64_t min_version; /* 0: none */
  VtreeVerityPolicy verity;
  VtreeOpenMode open;
  VtreeIoMode io;
  VtreeIoUringMode io_uring;
  VtreeXattrMode xattr;
  VtreePrefetchMode prefetch;
  uint64_t prefetch_bytes; /* VTREE_PREFETCH_BYTES: at least 1 */
  uint32_t uid, gid;
  uint32_t readahead; /* KiB */
  bool allow_suid, allow_dev, allow_other;
  bool force; /* accept below the mark, and expired */
  bool noexec, nosymfollow, remount;
  uint64_t given; /* bit N: our own option number N was in -o */
} VtreeMountOptions;

/* clang-format off */
#define VTREE_MOUNT_OPTIONS_INIT { 0 }
/* clang-format on */

/* Frees what it owns. */
void vtree_mount_options_clear (VtreeMountOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VtreeMountOptions, vtree_mount_options_clear)

/* Adds the options of TEXT; a later one wins over an earlier one. SLOPPY (mount -s)
 * passes over unknown ones. VTREE_ERROR_INVALID names the option. */
bool vtree_mount_options_parse (VtreeMountOptions *options, const char *text,
                                bool sloppy, GError **error);

/* Takes SETTINGS (VtreeSetting *) for what no -o gave. Only policy can be set there;
 * anything else, or a bad value, is VTREE_ERROR_INVALID, which names the file. */
bool vtree_mount_options_settings (VtreeMountOptions *options,
                                   const GPtrArray *settings, GError **error);

/* What only root may ask for: VTREE_ERROR_INVALID. */
bool vtree_mount_options_check (const VtreeMountOptions *options, bool is_root,
                                GError **error);

/* True when any option of our own was in -o. */
bool vtree_mount_options_any_own (const VtreeMountOptions *options);
