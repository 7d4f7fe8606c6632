/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/options.h"

#include "tests/lib/test.h"

#include <string.h>

typedef struct {
  const char *name;
  const char *text;
  bool sloppy;
  const char *error; /* part of the message; NULL: success */
} ParseRow;

static const ParseRow parse_rows[] = {
  { "nothing", "", false, NULL },
  { "only commas", ",,,", false, NULL },
  { "what mount passes",
    "rw,nosuid,nodev,noexec,user=jo,_netdev,nofail,x-y=1,X-mount.z", false, NULL },
  { "access times", "noatime,nodiratime,relatime,strictatime,lazytime", false, NULL },
  { "helper", "helper=fuse.vtree,uhelper=x,comment=a b", false, NULL },
  { "libmount's view of a mount",
    "user_id=0,group_id=0,default_permissions,allow_other", false, NULL },
  { "unknown", "ro,verty=auto", false, "mount option verty: unknown" },
  { "unknown flag", "fast", false, "mount option fast: unknown" },
  { "unknown, escaped", "a\nb", false, "mount option a\\nb: unknown" },
  { "unknown, sloppy", "verty=auto,fast", true, NULL },
  { "prefetch, a word", "prefetch=on", false,
    "prefetch: \"on\" is not auto, off, or a number of bytes" },
  { "prefetch, nothing", "prefetch=0", false, "prefetch: \"0\" is not" },
  { "prefetch, too much", "prefetch=1073741825", false, "prefetch: " },
  { "prefetch, by itself", "prefetch", false, "prefetch: it needs a value" },
  { "subtype is ours", "subtype=x", false, "subtype: unknown" },
  { "bad value, sloppy", "verity=maybe", true, "verity: \"maybe\"" },
  { "no value", "verity", false, "verity: it needs a value" },
  { "empty value", "key=", false, "key: its value is empty" },
  { "a value too much", "allow_suid=1", false, "allow_suid: it takes no value" },
  { "tolerated flag with a value", "ro=1", false, "ro: unknown" },
  { "verity", "verity=never", false, "not auto, require or off" },
  { "open", "open=eager", false, "not one of lazy, checked" },
  { "io", "io=fast", false, "not one of daemon, passthrough, auto" },
  { "io_uring", "io_uring=on", false, "not one of auto, off" },
  { "io_uring, sloppy", "io_uring=", true, "io_uring: \"\"" },
  { "readahead", "readahead=much", false, "not auto, off or from 4 to 65536 (KiB)" },
  { "readahead-0", "readahead=0", false, "not auto, off or from 4" },
  { "readahead-large", "readahead=65537", false, "not auto, off or from 4" },
  { "readahead-negative", "readahead=-4", false, "not auto, off or from 4" },
  { "xattr", "xattr=all", false, "not one of signed, magic" },
  { "log, a typo", "log=sylog", false, "or a path" },
  { "digest", "digest=sha256:12", false, "mount option digest: " },
  { "min_version, negative", "min_version=-1", false, "min_version: \"-1\"" },
  { "min_version, overflow", "min_version=18446744073709551616", false, "min_version" },
  { "uid, a name", "uid=root", false, "uid: \"root\"" },
  { "uid, the invalid one", "uid=4294967295", false, "uid: \"4294967295\"" },
  { "gid, trailing", "gid=5x", false, "gid: \"5x\"" },
  { "setuid", "setuid=nobody", false, "setuid: not supported" },
  { "setuid, sloppy", "setuid=nobody", true, "setuid: not supported" },
  { "drop_privileges is what we do", "drop_privileges", false, NULL },
  { "backslash at the end", "key=a\\", false, "backslash" },
  { "escaped NUL", "key=a\\000b", false, "backslash" },
  { "open quote", "key=\"a,b", false, "quote" },
};

static void
test_parse (gconstpointer data)
{
  const ParseRow *row = data;
  g_auto (VtreeMountOptions) options = VTREE_MOUNT_OPTIONS_INIT;
  g_autoptr (GError) error = NULL;
  bool ok = vtree_mount_options_parse (&options, row->text, row->sloppy, &error);
  if (row->error == NULL) {
    g_assert_no_error (error);
    g_assert_true (ok);
  } else {
    g_assert_false (ok);
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, row->error);
    g_assert_null (strchr (error->message, '\n'));
  }
}

typedef struct {
  const char *name;
  const char *text;
  const char *key;
} ValueRow;

static const ValueRow value_rows[] = {
  { "plain", "key=/a/b", "/a/b" },
  { "the later one", "key=/a,key=/b", "/b" },
  { "escaped comma", "key=/a\\,b,ro", "/a,b" },
  { "octal comma", "key=/a\\054b,ro", "/a,b" },
  { "octal space", "key=/a\\040b", "/a b" },
  { "quoted", "key=\"/a,b\",ro", "/a,b" },
  { "a quote within", "key=/a\"b", "/a\"b" },
  { "escaped quote first", "key=\\\"a", "\"a" },
  { "escaped backslash", "key=/a\\\\b", "/a\\b" },
  { "equals sign", "key=/a=b", "/a=b" },
  { "not octal", "key=/a\\09", "/a09" },
  { "high byte", "key=/\\303\\251", "/\303\251" },
};

static void
test_value (gconstpointer data)
{
  const ValueRow *row = data;
  g_auto (VtreeMountOptions) options = VTREE_MOUNT_OPTIONS_INIT;
  g_autoptr (GError) error = NULL;
  vtree_mount_options_parse (&options, row->text, false, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (options.key, ==, row->key);
}

#define ZEROS64 "0000000000000000000000000000000000000000000000000000000000000000"

static void
test_every_option (void)
{
  g_auto (VtreeMountOptions) options = VTREE_MOUNT_OPTIONS_INIT;
  g_autoptr (GError) error = NULL;
  vtree_mount_options_parse (
    &options,
    "objects=/o,ref=a/b,log=stderr,fsname=n,digest=sha256:" ZEROS64
    ",min_version=7,verity=require,open=checked,io=auto,io_uring=off,xattr=magic,uid=1,"
    "gid=2,prefetch=5,readahead=256",
    false, &error);
  g_assert_no_error (error);
  vtree_mount_options_parse (&options, "allow_suid,allow_dev,allow_other,force,remount",
                             false, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (options.objects, ==, "/o");
  g_assert_cmpstr (options.ref, ==, "a/b");
  g_assert_cmpstr (options.log, ==, "stderr");
  g_assert_cmpstr (options.fsname, ==, "n");
  g_assert_true (options.has_digest);
  g_assert_cmpuint (options.min_version, ==, 7);
  g_assert_cmpint (options.verity, ==, VTREE_VERITY_REQUIRE);
  g_assert_cmpint (options.open, ==, VTREE_OPEN_CHECKED);
  g_assert_cmpint (options.io, ==, VTREE_IO_AUTO);
  g_assert_cmpint (options.io_uring, ==, VTREE_IO_URING_OFF);
  g_assert_cmpuint (options.readahead, ==, 256);
  g_assert_cmpint (options.xattr, ==, VTREE_XATTR_MAGIC);
  g_assert_cmpint (options.prefetch, ==, VTREE_PREFETCH_BYTES);
  g_assert_cmpuint (options.prefetch_bytes, ==, 5);
  g_assert_true (options.has_uid && options.has_gid);
  g_assert_cmpuint (options.uid, ==, 1);
  g_assert_cmpuint (options.gid, ==, 2);
  g_assert_true (options.allow_suid && options.allow_dev && options.allow_other);
  g_assert_true (options.force && options.remount);
}

static void
test_exec (void)
{
  static const struct {
    const char *text;
    bool noexec;
  } rows[] = { { "", false },           { "noexec", true },     { "user", true },
               { "users", true },       { "user,exec", false }, { "exec,user", true },
               { "noexec,exec", false } };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (VtreeMountOptions) options = VTREE_MOUNT_OPTIONS_INIT;
    g_assert_true (vtree_mount_options_parse (&options, rows[i].text, false, NULL));
    g_assert_cmpint (options.noexec, ==, rows[i].noexec);
  }
}

static void
test_too_long (void)
{
  g_auto (VtreeMountOptions) options = VTREE_MOUNT_OPTIONS_INIT;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = g_strnfill (VTREE_MOUNT_OPTIONS_MAX + 1, ',');
  g_assert_false (vtree_mount_options_parse (&options, text, false, &error));
  vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, "too long");
}

static void
test_settings (void)
{
  VtreeSetting all[] = { { .name = "verity", .value = "require" },
                         { .name = "open", .value = "checked" },
                         { .name = "allow_suid", .off = true },
                         { .name = "min_version", .value = "3" } };
  g_autoptr (GPtrArray) settings = g_ptr_array_new ();
  for (size_t i = 0; i < G_N_ELEMENTS (all); i++)
    g_ptr_array_add (settings, &all[i]);
  g_auto (VtreeMountOptions) options = VTREE_MOUNT_OPTIONS_INIT;
  g_autoptr (GError) error = NULL;
  vtree_mount_options_parse (&options, "verity=auto", false, &error);
  g_assert_no_error (error);
  vtree_mount_options_settings (&options, settings, &error);
  g_assert_no_error (error);
  g_assert_cmpint (options.verity, ==, VTREE_VERITY_AUTO);
  g_assert_cmpint (options.open, ==, VTREE_OPEN_CHECKED);
  g_assert_cmpuint (options.min_version, ==, 3);
}

static void
test_bad_settings (void)
{
  VtreeSetting bad[]
    = { { .name = "nonsense", .value = "1" },   { .name = "allow_suid", .value = "1" },
        { .name = "ref", .value = "a" },        { .name = "digest", .value = "x" },
        { .name = "verity", .value = "maybe" }, { .name = "verity" } };
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GPtrArray) settings = g_ptr_array_new ();
    bad[i].file = (char *) (void *) "/somewhere/vtree.conf";
    g_ptr_array_add (settings, &bad[i]);
    g_auto (VtreeMountOptions) options = VTREE_MOUNT_OPTIONS_INIT;
    g_autoptr (GError) error = NULL;
    g_assert_false (vtree_mount_options_settings (&options, settings, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID,
                             "/somewhere/vtree.conf: [mount]: ");
  }
}

static void
test_check (void)
{
  static const struct {
    const char *text;
    bool is_root;
    int code; /* -1: fine */
  } rows[] = {
    { "", false, -1 },
    { "allow_suid,allow_dev", true, -1 },
    { "allow_suid", false, VTREE_ERROR_INVALID },
    { "allow_dev", false, VTREE_ERROR_INVALID },
    { "io=auto", false, -1 },
    { "io=passthrough", false, -1 },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (VtreeMountOptions) options = VTREE_MOUNT_OPTIONS_INIT;
    g_autoptr (GError) error = NULL;
    g_assert_true (vtree_mount_options_parse (&options, rows[i].text, false, NULL));
    bool ok = vtree_mount_options_check (&options, rows[i].is_root, &error);
    g_assert_cmpint (ok, ==, rows[i].code == -1);
    if (!ok)
      vtree_test_assert_error (error, VTREE_ERROR, rows[i].code, "mount option ");
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  for (size_t i = 0; i < G_N_ELEMENTS (parse_rows); i++) {
    g_autofree char *path
      = g_strdup_printf ("/fuse/options/parse/%s", parse_rows[i].name);
    g_test_add_data_func (path, &parse_rows[i], test_parse);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (value_rows); i++) {
    g_autofree char *path
      = g_strdup_printf ("/fuse/options/value/%s", value_rows[i].name);
    g_test_add_data_func (path, &value_rows[i], test_value);
  }
  g_test_add_func ("/fuse/options/every-option", test_every_option);
  g_test_add_func ("/fuse/options/exec", test_exec);
  g_test_add_func ("/fuse/options/too-long", test_too_long);
  g_test_add_func ("/fuse/options/settings", test_settings);
  g_test_add_func ("/fuse/options/bad-settings", test_bad_settings);
  g_test_add_func ("/fuse/options/check", test_check);
  return vtree_test_run ();
}
