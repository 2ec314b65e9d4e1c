/*
 * Filings: a byte that says whether the member "order" gives the id, then JSON.  A filing
 * that is accepted is within all limits; one that is refused has errors.
 */

#include "fuzz.h"
#include "mpk_members.h"
#include "mpk_email.h"
#include "mpk_errors.h"
#include "mpk_filing.h"
#include "mpk_ip.h"
#include "mpk_json.h"

#define NOW  1800000000     /* seconds */


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool                named;
    size_t              i, bytes, fits;
    unsigned            fit;
    mpk_str_t           id;
    mpk_value_t        *body, *errors;
    mpk_email_t         email;
    mpk_terms_t        *terms;
    mpk_filing_t        filing;
    mpk_consents_t     *consents;
    const mpk_value_t  *v;

    static const mpk_json_limits_t   limits = { 1 << 20, 4, 4096 };
    static const mpk_filing_times_t  times = { 1000000000, NOW, NOW + MPK_FILING_AHEAD };

    if (size == 0) {
        return 0;
    }

    named = (data[0] == 'n');
    id = named ? mpk_string("") : mpk_string("A-1");

    if (mpk_json_read(&fuzz_mem, data + 1, size - 1, &limits, &body, NULL)
        != MPK_OK)
    {
        fuzz_free_all();
        return 0;
    }

    must(mpk_filing_read(&fuzz_mem, body, id, &times, &filing, &errors)
         == MPK_OK);

    if (errors) {
        must(errors->u.list.count >= 1);
        must(errors->u.list.count <= MPK_ERRORS_MAX);

        for (v = errors->u.list.first; v; v = v->next) {
            must(mpk_value_get_string(v, mpk_string("pointer")).data);
            must(mpk_value_get_string(v, mpk_string("detail")).len);
        }

        fuzz_free_all();
        return 0;
    }

    terms = &filing.checkout.terms;
    consents = &filing.checkout.consents;

    must(mpk_order_id_valid(filing.id));
    must(mpk_email_read(filing.person.email, &email) == MPK_OK);
    must(filing.person.account.len <= MPK_FILING_TEXT_MAX);
    must(filing.person.name.len <= MPK_FILING_TEXT_MAX);
    must(filing.person.device_id.len <= MPK_FILING_TEXT_MAX);
    must(filing.purchased_at > 1000000000);
    must(filing.purchased_at <= NOW + MPK_FILING_AHEAD);
    must(filing.person.purchase_ip.len == 0
         || mpk_ip_valid(filing.person.purchase_ip));
    must(filing.state == MPK_ORDER_HELD || filing.state == MPK_ORDER_READY);
    must(filing.items_count >= 1 && filing.items_count <= MPK_ITEMS_MAX);

    bytes = 0;
    fits = 0;

    for (i = 0; i < filing.items_count; i++) {
        must(filing.items[i].sku.len && filing.items[i].product.len);
        must(filing.items[i].sku.len <= MPK_FILING_TEXT_MAX);
        must(filing.items[i].product.len <= MPK_FILING_TEXT_MAX);
        must(filing.items[i].key.len && filing.items[i].key.len <= MPK_KEY_MAX);

        bytes += filing.items[i].key.len;

        for (fit = 0; fit < MPK_FIT_MAX; fit++) {
            must(filing.items[i].fit[fit].len <= MPK_URL_MAX);
            fits += filing.items[i].fit[fit].len;
        }

        for (fit = MPK_FIT_ACTIVATION_URL; fit <= MPK_FIT_SUPPORT_URL; fit++) {
            must(filing.items[i].fit[fit].len == 0 || memcmp(filing.items[i].fit[fit].data + 4, "://", 3) == 0
                 || memcmp(filing.items[i].fit[fit].data + 5, "://", 3) == 0);
            must(filing.items[i].fit[fit].len == 0
                 || memchr(filing.items[i].fit[fit].data, '"', filing.items[i].fit[fit].len) == NULL);
        }
    }

    must(terms->version.len == 0
         || (terms->version.len <= MPK_VERSION_MAX && terms->url.len > 7 && terms->url.len <= MPK_URL_MAX
             && terms->accepted_at > 0 && terms->accepted_at <= NOW + MPK_FILING_AHEAD && mpk_ip_valid(terms->ip)
             && (terms->sha256.len == 0 || terms->sha256.len == MPK_SHA256_TEXT)));
    must(consents->at == 0
         || (consents->at > 0 && consents->at <= NOW + MPK_FILING_AHEAD && mpk_ip_valid(consents->ip)
             && consents->text_sha256.len == MPK_SHA256_TEXT
             && (consents->confirmed_at == 0
                 || (consents->confirmed_at >= consents->at && consents->confirmed_at <= NOW + MPK_FILING_AHEAD))));

    must(fits <= MPK_FITS_BYTES_MAX);
    must(bytes <= MPK_KEYS_BYTES_MAX);

    must(filing.imported || filing.delivered_at == 0);
    must(filing.delivered_at || filing.first_viewed_at == 0);
    must(filing.delivered_at == 0
         || (filing.delivered_at >= filing.purchased_at
             && filing.delivered_at < NOW
             && filing.state == MPK_ORDER_READY));
    must(filing.first_viewed_at == 0
         || (filing.first_viewed_at >= filing.delivered_at
             && filing.first_viewed_at < NOW));

    fuzz_free_all();

    return 0;
}
