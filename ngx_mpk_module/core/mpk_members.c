/* The members of an object in a request's body, checked by a table. */

#include "mpk_members.h"


static const mpk_member_t *mpk_members_find(const mpk_members_t *members,
    mpk_str_t name);
static mpk_str_t mpk_members_fault(const mpk_member_t *member,
    const mpk_value_t *value);


bool
mpk_members_read(mpk_mem_t *mem, const mpk_value_t *object,
    const mpk_members_t *members, mpk_str_t parent, size_t index, void *into,
    mpk_value_t **errors)
{
    bool                 right;
    size_t               i;
    mpk_str_t           *field, fault;
    const mpk_value_t   *value;
    const mpk_member_t  *member;

    right = true;

    for (value = object ? object->u.list.first : NULL; value;
         value = value->next)
    {
        if (mpk_members_find(members, value->name) == NULL) {
            mpk_errors_add(mem, errors,
                           mpk_errors_pointer(mem, parent, index, value->name),
                           mpk_string("there is no such member"));
            right = false;
        }
    }

    for (i = 0; i < members->count; i++) {
        member = &members->list[i];
        value = mpk_value_get(object, member->name);

        fault = mpk_members_fault(member, value);

        if (fault.len) {
            mpk_errors_add(mem, errors,
                           mpk_errors_pointer(mem, parent, index, member->name),
                           fault);
            right = false;
        }

        if (into && member->type == MPK_VALUE_STRING) {
            field = (mpk_str_t *) (void *) ((uint8_t *) into + member->offset);
            *field = fault.len ? mpk_string("")
                               : mpk_value_get_string(object, member->name);
        }
    }

    return right;
}


static const mpk_member_t *
mpk_members_find(const mpk_members_t *members, mpk_str_t name)
{
    size_t  i;

    for (i = 0; i < members->count; i++) {
        if (mpk_str_eq(members->list[i].name, name)) {
            return &members->list[i];
        }
    }

    return NULL;
}


/* What is wrong with a value; empty: nothing. */

static mpk_str_t
mpk_members_fault(const mpk_member_t *member, const mpk_value_t *value)
{
    static const mpk_str_t  types[] = {
        [MPK_VALUE_NULL] = mpk_literal(""),
        [MPK_VALUE_BOOL] = mpk_literal("must be true or false"),
        [MPK_VALUE_INT] = mpk_literal("must be an integer"),
        [MPK_VALUE_STRING] = mpk_literal("must be a string"),
        [MPK_VALUE_ARRAY] = mpk_literal("must be an array"),
        [MPK_VALUE_OBJECT] = mpk_literal("must be an object"),
    };

    mpk_assert_rows(types, MPK_VALUE_OBJECT + 1);

    if (member->presence != MPK_REQUIRED && (value == NULL || value->type == MPK_VALUE_NULL)) {
        return mpk_string("");
    }

    if (value == NULL) {
        return mpk_string("is missing");
    }

    if (member->type == MPK_VALUE_NULL) {
        return mpk_string("");
    }

    if (value->type != member->type) {
        return types[member->type];
    }

    if (value->type != MPK_VALUE_STRING) {
        return mpk_string("");
    }

    if (member->presence != MPK_OPTIONAL && value->u.string.len == 0) {
        return mpk_string("is empty");
    }

    return value->u.string.len > member->max ? mpk_string("is too long")
                                             : mpk_string("");
}


bool
mpk_sha256_read(mpk_mem_t *mem, mpk_str_t text, mpk_str_t *hash)
{
    size_t    i;
    uint8_t   c, *p;

    p = text.len == MPK_SHA256_TEXT ? mpk_alloc(mem, text.len) : NULL;

    if (p == NULL) {
        return false;
    }

    for (i = 0; i < text.len; i++) {
        c = text.data[i];
        p[i] = c >= 'A' && c <= 'F' ? (uint8_t) (c | 0x20) : c;

        if (!(p[i] >= '0' && p[i] <= '9') && !(p[i] >= 'a' && p[i] <= 'f')) {
            return false;
        }
    }

    *hash = (mpk_str_t) { text.len, p };

    return true;
}
