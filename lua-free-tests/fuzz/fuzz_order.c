/* An order's fields in Redis, claims included: any input is read or refused, and what is read is written back as the same bytes. */

#include "fuzz.h"
#include "mpk_order.h"


static mpk_str_t
done(const mpk_buf_t *buf)
{
    must(!buf->failed);

    return mpk_buf_done(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        i, n, left;
    mpk_buf_t     head, filed, items, claims;
    mpk_str_t     fields[MPK_ORDER_FIELDS];
    mpk_order_t   order;
    mpk_detail_t  detail;
    mpk_person_t  person;

    /* a length of two bytes before each field but the last */

    for (i = 0; i < MPK_ORDER_FIELDS; i++) {
        left = size;

        if (i < MPK_ORDER_FIELDS - 1) {
            n = size >= 2 ? (size_t) (data[0] << 8 | data[1]) : 0;
            left = size >= 2 ? size - 2 : 0;
            data += size - left;
            size = left;
            left = n < left ? n : left;
        }

        fields[i] = (mpk_str_t) { left, data };
        data += left;
        size -= left;
    }

    if (mpk_order_read(&fuzz_mem, mpk_string("A-1"), fields, &order)
        == MPK_OK)
    {
        must(order.revision);
        must(order.items_count <= MPK_ITEMS_MAX);
        must(order.claims_count <= MPK_CLAIMS_MAX);

        mpk_buf_init(&head, &fuzz_mem, 0);
        mpk_buf_init(&filed, &fuzz_mem, 0);
        mpk_buf_init(&items, &fuzz_mem, 0);
        mpk_buf_init(&claims, &fuzz_mem, 0);

        mpk_order_write_head(&order, &head);
        must(mpk_str_eq(done(&head), fields[0]));

        if (order.state != MPK_ORDER_ERASED) {
            mpk_order_write_filed(&order, &filed);
            mpk_order_write_items(&order, &items);
            mpk_claims_write(order.claims, order.claims_count, &claims);

            must(mpk_str_eq(done(&filed), fields[1]));
            must(mpk_str_eq(done(&items), fields[2]));
            must(mpk_str_eq(done(&claims), fields[3]));
        }

        for (i = 0; i < order.claims_count; i++) {
            must(order.claims[i].item >= 1);
            must(order.claims[i].item <= order.items_count);
            must(mpk_claim_state_name(order.claims[i].state).len);
            must(mpk_category_name(order.claims[i].category).len);
        }
    }

    if (mpk_detail_read(fields[3], &detail) == MPK_OK) {
        mpk_buf_init(&claims, &fuzz_mem, 0);
        mpk_detail_write(&detail, &claims);
        must(mpk_str_eq(done(&claims), fields[3]));
    }

    if (mpk_person_read(fields[3], &person) == MPK_OK) {
        mpk_buf_init(&claims, &fuzz_mem, 0);
        mpk_person_write(&person, &claims);
        must(mpk_str_eq(done(&claims), fields[3]));
    }

    fuzz_free_all();

    return 0;
}
