/* A tree of values: built, and searched. */

#include "mpk_value.h"


mpk_value_t *
mpk_value_new(mpk_mem_t *mem, mpk_value_type_t type)
{
    mpk_value_t  *value;

    value = mpk_calloc(mem, sizeof(mpk_value_t));
    if (value == NULL) {
        return NULL;
    }

    value->type = type;

    if (type == MPK_VALUE_ARRAY || type == MPK_VALUE_OBJECT) {
        value->u.list.mem = mem;
    }

    return value;
}


mpk_value_t *
mpk_value_add(mpk_value_t *parent, mpk_str_t name, mpk_value_type_t type)
{
    mpk_value_t  *value;

    if (parent == NULL) {
        return NULL;
    }

    value = mpk_value_new(parent->u.list.mem, type);

    mpk_value_put(parent, name, value);

    return value;
}


mpk_value_t *
mpk_value_object(mpk_value_t *parent, mpk_str_t name)
{
    return mpk_value_add(parent, name, MPK_VALUE_OBJECT);
}


mpk_value_t *
mpk_value_array(mpk_value_t *parent, mpk_str_t name)
{
    return mpk_value_add(parent, name, MPK_VALUE_ARRAY);
}


void
mpk_value_string(mpk_value_t *parent, mpk_str_t name, mpk_str_t string)
{
    mpk_value_t  *value;

    value = mpk_value_add(parent, name, MPK_VALUE_STRING);
    if (value) {
        value->u.string = string;
    }
}


void
mpk_value_markup(mpk_value_t *parent, mpk_str_t name, mpk_str_t html)
{
    mpk_value_t  *value;

    value = mpk_value_add(parent, name, MPK_VALUE_STRING);
    if (value) {
        value->u.string = html;
        value->markup = true;
    }
}


void
mpk_value_int(mpk_value_t *parent, mpk_str_t name, int64_t n)
{
    mpk_value_t  *value;

    value = mpk_value_add(parent, name, MPK_VALUE_INT);
    if (value) {
        value->u.integer = n;
    }
}


void
mpk_value_bool(mpk_value_t *parent, mpk_str_t name, bool b)
{
    mpk_value_t  *value;

    value = mpk_value_add(parent, name, MPK_VALUE_BOOL);
    if (value) {
        value->u.boolean = b;
    }
}


void
mpk_value_null(mpk_value_t *parent, mpk_str_t name)
{
    (void) mpk_value_add(parent, name, MPK_VALUE_NULL);
}


void
mpk_value_text(mpk_value_t *parent, mpk_str_t name, mpk_str_t string)
{
    if (string.len) {
        mpk_value_string(parent, name, string);

    } else {
        mpk_value_null(parent, name);
    }
}


void
mpk_value_put(mpk_value_t *parent, mpk_str_t name, mpk_value_t *value)
{
    if (parent == NULL || value == NULL) {
        return;
    }

    value->name = name;

    if (parent->u.list.last) {
        parent->u.list.last->next = value;

    } else {
        parent->u.list.first = value;
    }

    parent->u.list.last = value;
    parent->u.list.count++;
}


void
mpk_value_watch(mpk_value_t *parent, size_t *end)
{
    if (parent && parent->u.list.last) {
        parent->u.list.last->end = end;
    }
}


const mpk_value_t *
mpk_value_get(const mpk_value_t *object, mpk_str_t name)
{
    const mpk_value_t  *value;

    if (object == NULL || object->type != MPK_VALUE_OBJECT) {
        return NULL;
    }

    for (value = object->u.list.first; value; value = value->next) {
        if (mpk_str_eq(value->name, name)) {
            return value;
        }
    }

    return NULL;
}


mpk_str_t
mpk_value_get_string(const mpk_value_t *object, mpk_str_t name)
{
    const mpk_value_t  *value;

    value = mpk_value_get(object, name);

    if (value == NULL || value->type != MPK_VALUE_STRING) {
        return (mpk_str_t) { 0, NULL };
    }

    return value->u.string;
}


bool
mpk_value_yes(const mpk_value_t *object, mpk_str_t name)
{
    size_t              i;
    const mpk_value_t  *value;

    static const mpk_str_t  words[] = {
        mpk_literal("true"), mpk_literal("yes"), mpk_literal("on"),
        mpk_literal("1")
    };

    value = mpk_value_get(object, name);

    if (value == NULL) {
        return false;
    }

    if (value->type != MPK_VALUE_STRING) {
        return (value->type == MPK_VALUE_BOOL && value->u.boolean)
               || (value->type == MPK_VALUE_INT && value->u.integer == 1);
    }

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (mpk_str_eq(value->u.string, words[i])) {
            return true;
        }
    }

    return false;
}
