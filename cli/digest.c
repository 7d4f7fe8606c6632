/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `vtree digest` and `vtree measure`: as the fsverity tool, file by file. */
#include "cli/json.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "core/kernel.h"
#include "core/verity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fsverity.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

typedef struct {
  VtreeDigestAlg alg; /* of digest */
  VtreeDigest digest;
  uint64_t size;
  bool enforced; /* measure: by a filesystem whose kernel code enforces it */
} FileDigest;

/* Fills RESULT for the open FILE. */
typedef bool (*FileWork) (int fd, FileDigest *result, GError **error);

static bool
compute (int fd, FileDigest *result, GError **error)
{
  VtreeVerityHelpers helpers = { 0 };
  const VtreeVerityParams params = {
    .alg = result->alg, .size = result->size, .merkle_fd = -1, .helpers = &helpers
  };

  return vtree_verity_compute_fd (&params, fd, &result->digest, error);
}

/* Asks any filesystem, FUSE too. Its answer proves nothing unless it is on core's
 * list. */
static bool
measure (int fd, FileDigest *result, GError **error)
{
  union {
    struct fsverity_digest head;
    uint8_t bytes[sizeof (struct fsverity_digest) + VTREE_DIGEST_MAX_SIZE];
  } answer = { .head = { .digest_size = VTREE_DIGEST_MAX_SIZE } };
  VtreeDigest enforced;

  if (ioctl (fd, FS_IOC_MEASURE_VERITY, &answer) != 0)
    return vtree_error_set_errno (error, errno, "measure");
  result->alg = (VtreeDigestAlg) answer.head.digest_algorithm;
  if ((result->alg != VTREE_DIGEST_SHA256 && result->alg != VTREE_DIGEST_SHA512)
      || answer.head.digest_size != vtree_digest_alg_size (result->alg))
    return vtree_error_set (error, VTREE_ERROR_UNSUPPORTED,
                            "measure: algorithm %u with %u bytes is not known",
                            answer.head.digest_algorithm, answer.head.digest_size);
  vtree_digest_init (&result->digest, result->alg,
                     answer.bytes + sizeof (struct fsverity_digest));
  return vtree_kernel_measure (fd, &result->enforced, &enforced, error);
}

static bool
work_on (const char *file, FileWork work, FileDigest *result, GError **error)
{
  g_auto (VtreeFd) fd = open (file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  struct stat attributes;

  if (fd < 0 || fstat (fd, &attributes) != 0)
    return vtree_error_set_errno (error, errno, "open");
  if (!S_ISREG (attributes.st_mode))
    return vtree_error_set (error, VTREE_ERROR_FAILED, "open: it is no regular file");
  result->size = (uint64_t) attributes.st_size;
  return work (fd, result, error);
}

static void
print_result (const char *file, const FileDigest *result, bool measured,
              VtreeJson *json)
{
  char text[VTREE_DIGEST_TEXT_MAX];

  vtree_digest_format (&result->digest, text);
  if (json == NULL) {
    vtree_out_print ("%s ", text);
    vtree_out_name (file, -1);
    vtree_out_text ("\n");
    return;
  }
  vtree_json_begin_object (json, NULL);
  vtree_json_add_string (json, "path", file);
  vtree_json_add_string (json, "digest", text);
  vtree_json_add_uint (json, "size", result->size);
  if (measured)
    vtree_json_add_bool (json, "enforced", result->enforced);
  vtree_json_end_object (json);
}

static bool
work_on_all (const VtreeCli *cli, FileWork work, VtreeDigestAlg alg, GError **error)
{
  g_autoptr (VtreeJson) json = cli->json ? vtree_json_new (stdout) : NULL;

  if (json != NULL) {
    vtree_json_begin_answer (json);
    vtree_json_begin_array (json, "files");
  }
  for (char **file = cli->args; *file != NULL; file++) {
    FileDigest result = { .alg = alg };

    if (!work_on (*file, work, &result, error)) {
      g_autofree char *escaped = vtree_error_escape (*file, -1);

      g_prefix_error (error, "%s: ", escaped);
      return false;
    }
    print_result (*file, &result, work == measure, json);
  }
  if (json != NULL) {
    vtree_json_end_array (json);
    vtree_json_end_object (json);
  }
  return true;
}

bool
vtree_verb_digest (VtreeCli *cli, GError **error)
{
  g_autofree char *name = NULL;
  const GOptionEntry entries[]
    = { { "digest", 0, 0, G_OPTION_ARG_FILENAME, &name,
          "Hash algorithm: sha256 (default) or sha512", "ALG" },
        { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };
  VtreeDigestAlg alg = VTREE_DIGEST_SHA256;

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  if (name != NULL && !vtree_digest_alg_parse (name, &alg))
    return vtree_error_set (error, VTREE_ERROR_INVALID,
                            "--digest: '%s' is neither sha256 nor sha512", name);
  return work_on_all (cli, compute, alg, error);
}

bool
vtree_verb_measure (VtreeCli *cli, GError **error)
{
  const GOptionEntry entries[]
    = { { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL } };

  if (!vtree_cli_parse (cli, entries, error))
    return false;
  return work_on_all (cli, measure, VTREE_DIGEST_SHA256, error);
}
