/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The status ioctl: read-only, on any open file or directory of a mount, always
 * answered. Fixed size, host byte order (it never leaves the machine).
 */
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>

#define VTREE_STATUS_REF_MAX 256
#define VTREE_STATUS_DIGEST_MAX 136
#define VTREE_STATUS_KEY_MAX 72
#define VTREE_STATUS_SOURCE_MAX 1024
#define VTREE_STATUS_VERSION 1

/* status.flags */
#define VTREE_STATUS_EXPIRED (1u << 0) /* the statement has expired since */
#define VTREE_STATUS_OPEN_CHECKED (1u << 1)
#define VTREE_STATUS_PASSTHROUGH (1u << 2)
#define VTREE_STATUS_HAS_XATTR (1u << 3)
#define VTREE_STATUS_HAS_ACL (1u << 4)
#define VTREE_STATUS_MANIFEST_KERNEL (1u << 5) /* the kernel enforces the manifest */
#define VTREE_STATUS_UNSIGNED (1u << 6)        /* pinned by digest, no signature */
#define VTREE_STATUS_SIMULATED (1u << 7)       /* a test build: see kernel.h */
#define VTREE_STATUS_IO_URING (1u << 9)        /* this very request came that way */

/* status.object_state */
#define VTREE_STATUS_OBJECT_NOT_OPENED 0u
#define VTREE_STATUS_OBJECT_VERIFIED 1u
#define VTREE_STATUS_OBJECT_FAILED 2u

struct vtree_status {
  uint32_t struct_version; /* VTREE_STATUS_VERSION */
  uint32_t struct_size;    /* sizeof (struct vtree_status) of the daemon */
  uint32_t flags;
  uint32_t verity;         /* VtreeVerityPolicy */
  uint64_t node_id;        /* of the file that was asked */
  uint64_t version;        /* of the root statement; 0 if none */
  int64_t created;         /* seconds since the epoch; 0 if none */
  int64_t expires;         /* likewise */
  int64_t mounted;         /* when */
  uint64_t pid;            /* of the daemon */
  uint64_t inodes;         /* in the manifest */
  uint64_t objects_kernel; /* opened so far, by who enforces them */
  uint64_t objects_daemon;
  uint64_t objects_unverified;
  uint64_t cached;   /* objects held now */
  uint64_t hits;     /* object cache */
  uint64_t measures; /* objects measured */
  uint64_t failures; /* integrity failures (EIO) */
  uint64_t requests; /* FUSE requests answered */
  uint64_t requests_open, requests_opendir, requests_read, requests_readdir,
    requests_lookup, requests_getattr, requests_getxattr, requests_listxattr,
    requests_readlink;
  uint64_t manifest_loaded; /* bytes of the manifest read so far */
  uint64_t bytes_read;      /* handed out */
  uint64_t requests_release;
  uint64_t passthrough_opens; /* opens that were answered with a backing file */
  uint64_t passthrough_held;  /* backing files that the kernel holds now */
  uint64_t prefetched_files;  /* pushed ahead of their readers */
  uint64_t prefetched_bytes;
  uint64_t reads_spliced; /* answered from the object's own pages */
  uint64_t reads_ahead;   /* answered with what had been verified ahead */
  uint64_t reserved[9];
  char ref[VTREE_STATUS_REF_MAX];
  char manifest[VTREE_STATUS_DIGEST_MAX];
  char key[VTREE_STATUS_KEY_MAX]; /* id of the key that signed */
  char source[VTREE_STATUS_SOURCE_MAX];
  char object[VTREE_STATUS_DIGEST_MAX]; /* of the file that was asked; "" if none */
  uint32_t object_enforcer;             /* VtreeEnforcer, once it was opened */
  uint32_t object_state;
};

#define VTREE_IOC_STATUS _IOR ('V', 0x76, struct vtree_status)
