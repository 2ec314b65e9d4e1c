/* Reads the bodies of support's calls about claims. */

#include "mpk_support.h"
#include "mpk_journal.h"
#include "mpk_members.h"
#include "mpk_time.h"


typedef struct {
    mpk_str_t  result;
    mpk_str_t  text;
} mpk_support_finding_t;

typedef struct {
    mpk_str_t  name;
    mpk_str_t  sha256;
} mpk_support_file_t;


static bool mpk_support_files(mpk_mem_t *mem, const mpk_value_t *list,
    mpk_buf_t *files, mpk_value_t **errors);
static bool mpk_support_file_name(mpk_str_t name);
static void mpk_support_wrong(mpk_mem_t *mem, mpk_value_t **errors,
    mpk_str_t pointer, mpk_str_t detail, bool *right);


static const mpk_member_t  mpk_support_finding_list[] = {
    { mpk_literal("result"), MPK_VALUE_STRING, MPK_REQUIRED, 32,
      offsetof(mpk_support_finding_t, result) },
    { mpk_literal("text"), MPK_VALUE_STRING, MPK_REQUIRED, MPK_CLAIM_TEXT_MAX,
      offsetof(mpk_support_finding_t, text) },
};

static const mpk_member_t  mpk_support_file_list[] = {
    { mpk_literal("name"), MPK_VALUE_STRING, MPK_REQUIRED, MPK_FILE_NAME_MAX,
      offsetof(mpk_support_file_t, name) },
    { mpk_literal("sha256"), MPK_VALUE_STRING, MPK_REQUIRED, MPK_SHA256_TEXT,
      offsetof(mpk_support_file_t, sha256) },
};

static const mpk_members_t  mpk_support_finding_members =
    mpk_members(mpk_support_finding_list);
static const mpk_members_t  mpk_support_file_members =
    mpk_members(mpk_support_file_list);


bool
mpk_support_finding(mpk_mem_t *mem, const mpk_value_t *body,
    mpk_finding_t *finding, mpk_str_t *text, mpk_value_t **errors)
{
    bool                 right;
    const mpk_value_t   *object;
    mpk_support_finding_t   said;

    *finding = MPK_FINDING_NONE;
    *text = mpk_string("");

    object = mpk_value_get(body, mpk_string("finding"));

    if (object == NULL || object->type != MPK_VALUE_OBJECT) {
        return true;
    }

    right = mpk_members_read(mem, object, &mpk_support_finding_members,
                             mpk_string("finding"), MPK_NO_INDEX, &said,
                             errors);

    if (said.result.len && !mpk_finding_find(said.result, finding)) {
        mpk_support_wrong(mem, errors, mpk_string("/finding/result"),
                          mpk_string("must be \"defective\", \"not_reproduced\" "
                                     "or \"goodwill\""), &right);
    }

    *text = said.text;

    return right;
}


bool
mpk_support_note(mpk_mem_t *mem, const mpk_value_t *body, mpk_note_t *note,
    mpk_value_t **errors)
{
    bool                right;
    mpk_buf_t           files;
    mpk_str_t           session;
    const mpk_value_t  *list;

    memset(note, 0, sizeof(mpk_note_t));

    right = true;

    note->text = mpk_value_get_string(body, mpk_string("text"));
    session = mpk_value_get_string(body, mpk_string("session"));

    if (session.len && !mpk_session_find(session, &note->session)) {
        mpk_support_wrong(mem, errors, mpk_string("/session"),
                          mpk_string("must be \"offered\", \"held\" or "
                                     "\"declined\""), &right);
    }

    list = mpk_value_get(body, mpk_string("files"));

    if (list && list->type == MPK_VALUE_ARRAY) {
        mpk_buf_init(&files, mem, 256);
        right &= mpk_support_files(mem, list, &files, errors);
        note->files = mpk_buf_done(&files);
        right &= !files.failed;
    }

    if (right && note->text.len == 0 && note->files.len == 0
        && note->session == MPK_SESSION_NONE)
    {
        mpk_support_wrong(mem, errors, mpk_string("/text"),
                          mpk_string("must be there, if there are neither files "
                                     "nor a session"), &right);
    }

    return right;
}


static bool
mpk_support_files(mpk_mem_t *mem, const mpk_value_t *list, mpk_buf_t *files,
    mpk_value_t **errors)
{
    bool                 right, fits;
    size_t               i;
    mpk_str_t            array, hash;
    mpk_support_file_t      file;
    const mpk_value_t   *value;

    array = mpk_string("files");
    hash = mpk_string("");
    right = true;

    if (list->u.list.count > MPK_NOTE_FILES_MAX) {
        mpk_support_wrong(mem, errors, mpk_string("/files"),
                          mpk_string("has more than 32 files: send a second "
                                     "note"), &right);
        return false;
    }

    for (value = list->u.list.first, i = 0; value; value = value->next, i++) {

        if (value->type != MPK_VALUE_OBJECT) {
            mpk_support_wrong(mem, errors,
                              mpk_errors_pointer(mem, array, i,
                                                 (mpk_str_t) { 0, NULL }),
                              mpk_string("must be an object"), &right);
            continue;
        }

        fits = mpk_members_read(mem, value, &mpk_support_file_members, array, i,
                                &file, errors);
        right &= fits;

        if (file.name.len && !mpk_support_file_name(file.name)) {
            mpk_support_wrong(mem, errors,
                              mpk_errors_pointer(mem, array, i,
                                                 mpk_string("name")),
                              mpk_string("must be one line, without control "
                                         "characters"), &right);
        }

        if (file.sha256.len && !mpk_sha256_read(mem, file.sha256, &hash)) {
            mpk_support_wrong(mem, errors,
                              mpk_errors_pointer(mem, array, i,
                                                 mpk_string("sha256")),
                              mpk_string("must be 64 hexadecimal digits"), &right);
        }

        if (right) {
            mpk_journal_file(files, hash, file.name);
        }
    }

    return right;
}


static bool
mpk_support_file_name(mpk_str_t name)
{
    size_t  i;

    for (i = 0; i < name.len; i++) {
        if (name.data[i] < 0x20 || name.data[i] == 0x7f) {
            return false;
        }
    }

    return true;
}


bool
mpk_support_report(mpk_mem_t *mem, const mpk_value_t *body, int64_t now,
    mpk_report_t *report, mpk_value_t **errors)
{
    bool                right;
    mpk_str_t           at;
    const mpk_value_t  *item;

    memset(report, 0, sizeof(mpk_report_t));

    right = true;

    report->name = mpk_value_get_string(body, mpk_string("name"));
    report->description = mpk_value_get_string(body, mpk_string("description"));
    report->key = mpk_value_get_string(body, mpk_string("key"));
    report->exception = mpk_value_get_string(body, mpk_string("exception"));

    item = mpk_value_get(body, mpk_string("item"));

    if (item && item->u.integer >= 1 && item->u.integer <= MPK_ITEMS_MAX) {
        report->item = (uint16_t) item->u.integer;

    } else {
        mpk_support_wrong(mem, errors, mpk_string("/item"),
                          mpk_string("must be the number of an item"), &right);
    }

    if (!mpk_category_find(mpk_value_get_string(body, mpk_string("category")),
                           &report->category))
    {
        mpk_support_wrong(mem, errors, mpk_string("/category"),
                          mpk_string("must be \"not_accepted\", "
                                     "\"already_used\", \"blocked\", "
                                     "\"wrong_product\", \"stopped\" or "
                                     "\"other\""), &right);
    }

    at = mpk_value_get_string(body, mpk_string("received_at"));

    if (mpk_time_read(at, &report->received_at) != MPK_OK
        || report->received_at <= 0)
    {
        mpk_support_wrong(mem, errors, mpk_string("/received_at"),
                          mpk_string("must be an RFC 3339 time, e.g. "
                                     "2026-11-23T08:15:30Z"), &right);

    } else if (report->received_at >= now + MPK_TOKEN_SKEW) {
        mpk_support_wrong(mem, errors, mpk_string("/received_at"),
                          mpk_string("is in the future"), &right);
    }

    return right;
}


static void
mpk_support_wrong(mpk_mem_t *mem, mpk_value_t **errors, mpk_str_t pointer,
    mpk_str_t detail, bool *right)
{
    mpk_errors_add(mem, errors, pointer, detail);

    *right = false;
}
