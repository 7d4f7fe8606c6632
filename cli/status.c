/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree status`: asks the daemon by the ioctl of core/status.h and shows the
 * answer. */
#include "core/status.h"
#include "cli/json.h"
#include "cli/mounts.h"
#include "cli/output.h"
#include "cli/store-status.h"
#include "cli/verbs.h"
#include "core/fd.h"
#include "core/object.h"
#include "manifest/statement.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static bool
set_dead (const char *dir, GError **error)
{
  return vtree_error_set (error, VTREE_ERROR_FAILED,
                          "ask %s: its daemon has ended; mount it again, or unmount it",
                          dir);
}

/* What is said of a daemon that has ended, or (the last two) is ending just now. */
static bool
has_ended (int errnum)
{
  return errnum == ENOTCONN || errnum == ECONNABORTED || errnum == ECANCELED;
}

/* The daemon's answer for DIR, its texts made safe. */
static bool
ask (const char *dir, struct vtree_status *status, GError **error)
{
  g_auto (VtreeFd) fd = open (dir, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  g_autofree char *escaped = vtree_error_escape (dir, -1);

  memset (status, 0, sizeof *status);
  if (fd < 0 && has_ended (errno))
    return set_dead (escaped, error);
  if (fd < 0)
    return vtree_error_set_errno (error, errno, "ask %s", escaped);
  if (ioctl (fd, VTREE_IOC_STATUS, status) != 0) {
    if (has_ended (errno))
      return set_dead (escaped, error);
    if (errno == ENOTTY || errno == ENOSYS || errno == EINVAL)
      return vtree_error_set (error, VTREE_ERROR_MISSING,
                              "ask %s: no tree of vtree is mounted there", escaped);
    return vtree_error_set_errno (error, errno, "ask %s", escaped);
  }
  if (status->struct_version != VTREE_STATUS_VERSION)
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "ask %s: its daemon is of another version", escaped);
  status->ref[sizeof status->ref - 1] = '\0';
  status->manifest[sizeof status->manifest - 1] = '\0';
  status->key[sizeof status->key - 1] = '\0';
  status->source[sizeof status->source - 1] = '\0';
  status->object[sizeof status->object - 1] = '\0';
  return true;
}

static const char *
enforcer_name (uint32_t enforcer)
{
  static const char *const names[] = { [VTREE_ENFORCER_NONE] = "nobody",
                                       [VTREE_ENFORCER_KERNEL] = "kernel",
                                       [VTREE_ENFORCER_DAEMON] = "daemon" };

  return enforcer < G_N_ELEMENTS (names) ? names[enforcer] : "unknown";
}

/* Who has verified the manifest, as far as anybody has. */
static const char *
manifest_enforcer_name (const struct vtree_status *status)
{
  if (status->verity == VTREE_VERITY_OFF)
    return "nobody";
  if ((status->flags & VTREE_STATUS_MANIFEST_KERNEL) == 0)
    return "daemon";
  return (status->flags & VTREE_STATUS_SIMULATED) != 0 ? "simulated-kernel" : "kernel";
}

static const char *
state_name (uint32_t state)
{
  static const char *const names[] = { "not opened yet", "verified", "failed" };

  return state < G_N_ELEMENTS (names) ? names[state] : "unknown";
}

static const char *
verity_name (uint32_t verity)
{
  return verity <= VTREE_VERITY_OFF
           ? vtree_verity_policy_name ((VtreeVerityPolicy) verity)
           : "unknown";
}

/* The counters, in the order in which they are shown. */
static const struct {
  const char *key;
  const char *label;
  size_t offset;
} counters[] = {
#define COUNTER(field, label)                                                          \
  {                                                                                    \
#    field, label, offsetof(struct vtree_status, field)                                \
  }
  COUNTER (inodes, "inodes"),
  COUNTER (objects_kernel, "objects verified by the kernel"),
  COUNTER (objects_daemon, "objects verified by the daemon"),
  COUNTER (objects_unverified, "objects not verified"),
  COUNTER (cached, "objects open now"),
  COUNTER (hits, "object cache hits"),
  COUNTER (measures, "objects measured"),
  COUNTER (failures, "integrity failures"),
  COUNTER (passthrough_opens, "opens by passthrough"),
  COUNTER (passthrough_held, "files open by passthrough now"),
  COUNTER (prefetched_files, "files read ahead"),
  COUNTER (prefetched_bytes, "bytes read ahead"),
  COUNTER (bytes_read, "bytes read"),
  COUNTER (reads_spliced, "reads by splice"),
  COUNTER (reads_ahead, "reads verified ahead"),
  COUNTER (manifest_loaded, "bytes of the manifest read"),
  COUNTER (requests, "requests"),
  COUNTER (requests_open, "requests: open"),
  COUNTER (requests_opendir, "requests: opendir"),
  COUNTER (requests_read, "requests: read"),
  COUNTER (requests_readdir, "requests: readdir"),
  COUNTER (requests_lookup, "requests: lookup"),
  COUNTER (requests_getattr, "requests: getattr"),
  COUNTER (requests_getxattr, "requests: getxattr"),
  COUNTER (requests_listxattr, "requests: listxattr"),
  COUNTER (requests_readlink, "requests: readlink"),
  COUNTER (requests_release, "requests: release"),
#undef COUNTER
};

static uint64_t
counter_value (const struct vtree_status *status, size_t index)
{
  uint64_t value;

  memcpy (&value, (const char *) status + counters[index].offset, sizeof value);
  return value;
}

static void
print_text_line (const char *label, const char *text)
{
  g_autofree char *escaped = vtree_error_escape (text, -1);

  if (text[0] != '\0')
    vtree_out_print ("%s: %s\n", label, escaped);
}

static void
print_time (const char *label, int64_t seconds, const char *remark)
{
  g_autofree char *text = seconds != 0 ? vtree_time_format (seconds) : NULL;

  if (text != NULL)
    vtree_out_print ("%s: %s%s\n", label, text, remark);
}

/* What was mounted, and by whose word. */
static void
print_identity (const struct vtree_status *status)
{
  print_text_line ("source", status->source);
  print_text_line ("ref", status->ref);
  if (status->version != 0)
    vtree_out_print ("version: %" G_GUINT64_FORMAT "\n", status->version);
  print_text_line ("manifest", status->manifest);
  if ((status->flags & VTREE_STATUS_UNSIGNED) != 0)
    vtree_out_text ("signed by: nobody, pinned by its digest\n");
  else
    print_text_line ("signed by", status->key);
  print_time ("created", status->created, "");
  print_time ("expires", status->expires,
              (status->flags & VTREE_STATUS_EXPIRED) != 0 ? " (it has)" : "");
}

static void
print_status (const char *dir, const struct vtree_status *status)
{
  vtree_out_text ("mounted on: ");
  vtree_out_name (dir, -1);
  vtree_out_text ("\n");
  print_identity (status);
  vtree_out_print ("verity: %s\nmanifest verified by: %s\n",
                   verity_name (status->verity), manifest_enforcer_name (status));
  if ((status->flags & VTREE_STATUS_SIMULATED) != 0)
    vtree_out_text ("simulated-kernel: a test binary, nothing is verified\n");
  vtree_out_print (
    "open: %s\nio: %s\n",
    (status->flags & VTREE_STATUS_OPEN_CHECKED) != 0 ? "checked" : "lazy",
    (status->flags & VTREE_STATUS_PASSTHROUGH) != 0 ? "passthrough" : "daemon");
  vtree_out_print ("requests by: %s\n", (status->flags & VTREE_STATUS_IO_URING) != 0
                                          ? "io_uring"
                                          : "/dev/fuse");
  print_time ("mounted", status->mounted, "");
  vtree_out_print ("daemon: pid %" G_GUINT64_FORMAT "\n", status->pid);
  for (size_t i = 0; i < G_N_ELEMENTS (counters); i++)
    vtree_out_print ("%s: %" G_GUINT64_FORMAT "\n", counters[i].label,
                     counter_value (status, i));
  if (status->object[0] != '\0')
    vtree_out_print ("this file: %s, %s, verified by: %s\n", status->object,
                     state_name (status->object_state),
                     status->object_state != 0 ? enforcer_name (status->object_enforcer)
                                               : "-");
}

static void
add_time (VtreeJson *json, const char *key, int64_t seconds)
{
  g_autofree char *text = seconds != 0 ? vtree_time_format (seconds) : NULL;

  vtree_json_add_string (json, key, text);
}

/* TEXT, or null for "". */
static void
add_text (VtreeJson *json, const char *key, const char *text)
{
  vtree_json_add_string (json, key, text[0] != '\0' ? text : NULL);
}

static void
add_object_json (const struct vtree_status *status, VtreeJson *json)
{
  if (status->object[0] == '\0') {
    vtree_json_add_null (json, "object");
    return;
  }
  vtree_json_begin_object (json, "object");
  vtree_json_add_string (json, "digest", status->object);
  vtree_json_add_string (json, "state", state_name (status->object_state));
  vtree_json_add_string (
    json, "enforcer",
    status->object_state != 0 ? enforcer_name (status->object_enforcer) : NULL);
  vtree_json_end_object (json);
}

static void
add_status_json (const struct vtree_status *status, VtreeJson *json)
{
  const uint32_t flags = status->flags;

  add_text (json, "source", status->source);
  add_text (json, "ref", status->ref);
  if (status->version != 0)
    vtree_json_add_uint (json, "version", status->version);
  else
    vtree_json_add_null (json, "version");
  add_text (json, "manifest", status->manifest);
  add_text (json, "signed_by", status->key);
  add_time (json, "created", status->created);
  add_time (json, "expires", status->expires);
  add_time (json, "mounted", status->mounted);
  vtree_json_add_bool (json, "expired", (flags & VTREE_STATUS_EXPIRED) != 0);
  vtree_json_add_string (json, "verity", verity_name (status->verity));
  vtree_json_add_bool (json, "manifest_kernel",
                       (flags & VTREE_STATUS_MANIFEST_KERNEL) != 0);
  vtree_json_add_bool (json, "simulated_kernel", (flags & VTREE_STATUS_SIMULATED) != 0);
  vtree_json_add_string (json, "open",
                         (flags & VTREE_STATUS_OPEN_CHECKED) != 0 ? "checked" : "lazy");
  vtree_json_add_bool (json, "passthrough", (flags & VTREE_STATUS_PASSTHROUGH) != 0);
  vtree_json_add_bool (json, "io_uring", (flags & VTREE_STATUS_IO_URING) != 0);
  vtree_json_add_uint (json, "pid", status->pid);
  for (size_t i = 0; i < G_N_ELEMENTS (counters); i++)
    vtree_json_add_uint (json, counters[i].key, counter_value (status, i));
  add_object_json (status, json);
}

/* One mount; where it does not answer, why. */
static void
report (const char *dir, const VtreeMount *mount, VtreeJson *json)
{
  struct vtree_status status;
  g_autoptr (GError) error = NULL;
  bool answered = ask (dir, &status, &error);

  if (json != NULL) {
    vtree_json_begin_object (json, NULL);
    vtree_json_add_string (json, "dir", dir);
    vtree_json_add_string (json, "problem", answered ? NULL : error->message);
    if (answered)
      add_status_json (&status, json);
    else
      vtree_json_add_string (json, "source", mount->source);
    vtree_json_end_object (json);
  } else if (answered) {
    print_status (dir, &status);
  } else {
    vtree_out_text ("mounted on: ");
    vtree_out_name (dir, -1);
    print_text_line ("\nsource", mount->source);
    print_text_line ("problem", error->message);
  }
}

static void
report_all (const GPtrArray *mounts, VtreeJson *json)
{
  for (guint i = 0; i < mounts->len; i++) {
    const VtreeMount *mount = mounts->pdata[i];

    if (json == NULL && i > 0)
      vtree_out_text ("\n");
    report (mount->dir, mount, json);
  }
}

static bool
report_one (const char *dir, VtreeJson *json, GError **error)
{
  struct vtree_status status;

  if (!ask (dir, &status, error))
    return false;
  if (json == NULL) {
    print_status (dir, &status);
    return true;
  }
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "dir", dir);
  vtree_json_add_null (json, "problem");
  add_status_json (&status, json);
  vtree_json_end_object (json);
  return true;
}

bool
vtree_verb_status (VtreeCli *cli, GError **error)
{
  gboolean store = FALSE;
  const GOptionEntry entries[]
    = { { "store", 0, 0, G_OPTION_ARG_NONE, &store,
          "Show what the repository holds: objects, packs, bytes saved", NULL },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  g_autoptr (GPtrArray) mounts = NULL;
  g_autoptr (VtreeJson) json = NULL;

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if (store && cli->n_args > 0)
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "status --store: it takes no directory");
  if (store)
    return vtree_store_status (cli, error);
  if (cli->n_args == 0 && (mounts = vtree_mounts_list (error)) == NULL)
    return false;
  if (cli->json) {
    json = vtree_json_new (stdout);
    vtree_json_begin_answer (json);
    vtree_json_begin_array (json, "mounts");
  }
  if (mounts != NULL)
    report_all (mounts, json);
  else if (!report_one (cli->args[0], json, error))
    return false;
  if (json != NULL) {
    vtree_json_end_array (json);
    vtree_json_end_object (json);
  }
  return true;
}
