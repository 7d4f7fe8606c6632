/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GLib's locks, made visible to ThreadSanitizer; part of its builds alone. GLib waits
 * on futexes of its own, in a library that is not instrumented, so TSan would call all
 * that a GMutex protects a race. Each function here does GLib's work and says what it
 * orders. GRWLock, GRecMutex and GPrivate are pthread's inside, which TSan knows.
 * GAsyncQueue and GThreadPool lock inside GLib, where nothing can be interposed: don't
 * use them.
 */
#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>

/* These define the functions themselves. */
#undef g_once_init_enter
#undef g_once_init_leave

/* GLib's own definition of NAME. */
#define REAL(name) ((__typeof__ (&name)) real_function (#name))

static void *
real_function (const char *name)
{
  void *function = dlsym (RTLD_NEXT, name);
  if (function == NULL)
    __builtin_trap ();
  return function;
}

void
g_mutex_lock (GMutex *mutex)
{
  REAL (g_mutex_lock) (mutex);
  __tsan_acquire (mutex);
}

gboolean
g_mutex_trylock (GMutex *mutex)
{
  gboolean locked = REAL (g_mutex_trylock) (mutex);
  if (locked)
    __tsan_acquire (mutex);
  return locked;
}

void
g_mutex_unlock (GMutex *mutex)
{
  __tsan_release (mutex);
  REAL (g_mutex_unlock) (mutex);
}

void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  __tsan_release (mutex);
  REAL (g_cond_wait) (cond, mutex);
  __tsan_acquire (mutex);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  __tsan_release (mutex);
  gboolean signalled = REAL (g_cond_wait_until) (cond, mutex, end_time);
  __tsan_acquire (mutex);
  return signalled;
}

gboolean
g_once_init_enter (volatile void *location)
{
  gboolean entered = REAL (g_once_init_enter) (location);
  if (!entered)
    __tsan_acquire ((void *) location);
  return entered;
}

void
g_once_init_leave (volatile void *location, gsize result)
{
  __tsan_release ((void *) location);
  REAL (g_once_init_leave) (location, result);
  /* Once more, where TSan sees it: the macro's fast path is an atomic load. */
  __atomic_store_n ((volatile gsize *) location, result, __ATOMIC_RELEASE);
}
