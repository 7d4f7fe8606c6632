/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The protocol of sd_notify(3), with a socket of our own as the manager. */
#include "fuse/notify.h"

#include "core/error.h"
#include "tests/lib/test.h"

#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_LENGTH (sizeof ((struct sockaddr_un *) NULL)->sun_path - 1)

/* A manager's socket, bound by the test itself: NAME as in NOTIFY_SOCKET. */
static int
listen_at (const char *name)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  size_t length = strlen (name);
  int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  g_assert_cmpint (fd, >=, 0);
  memcpy (address.sun_path, name, length);
  if (name[0] == '@')
    address.sun_path[0] = '\0';
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address,
                         (socklen_t) (G_STRUCT_OFFSET (struct sockaddr_un, sun_path)
                                      + length + (name[0] == '@' ? 0 : 1))),
                   ==, 0);
  return fd;
}

static void
assert_received (int fd, const char *expected)
{
  char text[256] = { 0 };
  ssize_t got = recv (fd, text, sizeof text - 1, 0);
  g_assert_cmpint (got, ==, (gssize) strlen (expected));
  g_assert_cmpstr (text, ==, expected);
}

static void
set_environment (const char *name, const char *usec, const char *pid)
{
  const char *names[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID" };
  const char *values[] = { name, usec, pid };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    if (values[i] != NULL)
      g_setenv (names[i], values[i], TRUE);
    else
      g_unsetenv (names[i]);
}

static void
check_datagrams (const char *name)
{
  g_auto (VtreeFd) manager = listen_at (name);
  g_auto (VtreeNotify) notify = VTREE_NOTIFY_INIT;
  g_autoptr (GError) error = NULL;
  set_environment (name, NULL, NULL);
  vtree_notify_take (&notify, &error);
  g_assert_no_error (error);
  g_assert_null (g_getenv ("NOTIFY_SOCKET"));
  vtree_notify_send (&notify, "READY=1\nSTATUS=%s", "Serving");
  vtree_notify_send (&notify, "STOPPING=1");
  assert_received (manager, "READY=1\nSTATUS=Serving");
  assert_received (manager, "STOPPING=1");
}

static void
test_path (void)
{
  g_autofree char *dir = vtree_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "notify", NULL);
  check_datagrams (path);
}

static void
test_abstract (void)
{
  g_autofree char *name = g_strdup_printf ("@vtree-test-%d", (int) getpid ());
  check_datagrams (name);
}

/* A name that fills the address; a path needs its NUL. */
static void
test_longest (void)
{
  g_autofree char *name = g_strnfill (NAME_MAX_LENGTH, 'x');
  name[0] = '@';
  g_autofree char *number = g_strdup_printf ("%d", (int) getpid ());
  memcpy (name + 1, number, strlen (number));
  check_datagrams (name);
}

static void
test_nobody_listens (void)
{
  g_auto (VtreeNotify) none = VTREE_NOTIFY_INIT;
  g_auto (VtreeNotify) gone = VTREE_NOTIFY_INIT;
  g_autoptr (GError) error = NULL;
  set_environment (NULL, "1000000", NULL);
  vtree_notify_take (&none, &error);
  g_assert_no_error (error);
  g_assert_cmpint (none.fd, ==, -1);
  g_assert_cmpint (none.watchdog, ==, 0);
  vtree_notify_send (&none, "READY=1");
  set_environment ("@vtree-test-nobody-is-there", NULL, NULL);
  vtree_notify_take (&gone, &error);
  g_assert_no_error (error);
  vtree_notify_send (&gone, "READY=1");
}

static void
test_watchdog (void)
{
  g_autofree char *own = g_strdup_printf ("%d", (int) getpid ());
  const struct {
    const char *usec, *pid;
    gint64 expected;
  } rows[] = { { "60000000", own, 60000000 },
               { "60000000", NULL, 60000000 },
               { "60000000", "1", 0 },
               { NULL, own, 0 },
               { NULL, NULL, 0 } };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (VtreeNotify) notify = VTREE_NOTIFY_INIT;
    g_autoptr (GError) error = NULL;
    set_environment ("@vtree-test", rows[i].usec, rows[i].pid);
    vtree_notify_take (&notify, &error);
    g_assert_no_error (error);
    g_assert_cmpint (notify.watchdog, ==, rows[i].expected);
    g_assert_null (g_getenv ("WATCHDOG_USEC"));
    g_assert_null (g_getenv ("WATCHDOG_PID"));
  }
}

static void
test_refused (void)
{
  g_autofree char *longer = g_strnfill (NAME_MAX_LENGTH + 1, 'x');
  longer[0] = '/';
  const struct {
    const char *name, *usec, *pid, *part;
  } rows[] = { { "relative", NULL, NULL, "neither a path" },
               { "@", NULL, NULL, "neither a path" },
               { "vsock:2:1234", NULL, NULL, "neither a path" },
               { "a\nb", NULL, NULL, "a\\nb" },
               { longer, NULL, NULL, "too long" },
               { "@a", "soon", NULL, "WATCHDOG_USEC" },
               { "@a", "0", NULL, "WATCHDOG_USEC" },
               { "@a", "9223372036854775808", NULL, "WATCHDOG_USEC" },
               { "@a", "1", "me", "WATCHDOG_PID" } };
  for (size_t i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (VtreeNotify) notify = VTREE_NOTIFY_INIT;
    g_autoptr (GError) error = NULL;
    set_environment (rows[i].name, rows[i].usec, rows[i].pid);
    g_assert_false (vtree_notify_take (&notify, &error));
    vtree_test_assert_error (error, VTREE_ERROR, VTREE_ERROR_INVALID, rows[i].part);
  }
}

int
main (int argc, char **argv)
{
  vtree_test_init (&argc, &argv);
  g_test_add_func ("/fuse/notify/path", test_path);
  g_test_add_func ("/fuse/notify/abstract", test_abstract);
  g_test_add_func ("/fuse/notify/longest", test_longest);
  g_test_add_func ("/fuse/notify/nobody-listens", test_nobody_listens);
  g_test_add_func ("/fuse/notify/watchdog", test_watchdog);
  g_test_add_func ("/fuse/notify/refused", test_refused);
  return vtree_test_run ();
}
