/* What an item fits: names, and which URLs are links. */

#include "mpk_fit.h"


static size_t mpk_url_scheme(mpk_str_t url);


mpk_str_t
mpk_fit_name(mpk_fit_t fit)
{
    static const mpk_str_t  names[] = {
        [MPK_FIT_PLATFORM] = mpk_literal("platform"),
        [MPK_FIT_EDITION] = mpk_literal("edition"),
        [MPK_FIT_REQUIRES] = mpk_literal("requires"),
        [MPK_FIT_ACTIVATION_URL] = mpk_literal("activation_url"),
        [MPK_FIT_SUPPORT_URL] = mpk_literal("support_url"),
    };

    mpk_assert_rows(names, MPK_FIT_MAX);

    return names[fit];
}


void
mpk_fit_write(const mpk_str_t *fit, size_t item, mpk_buf_t *out)
{
    unsigned  i;

    for (i = 0; fit && i < MPK_FIT_MAX; i++) {
        if (fit[i].len) {
            mpk_pack_int(out, item);
            mpk_pack_int(out, i + 1);
            mpk_pack_str(out, fit[i]);
        }
    }
}


bool
mpk_url_valid(mpk_str_t url)
{
    bool     host;
    size_t   i;
    uint8_t  c;

    i = mpk_url_scheme(url);

    if (i == 0 || i == url.len || strchr("/?#@:.-", url.data[i])) {
        return false;
    }

    for (host = true; i < url.len; i++) {
        c = url.data[i];

        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c)) {
            return false;
        }

        host = host && c != '/' && c != '?' && c != '#';

        if (host && c == '@') {
            return false;
        }
    }

    return true;
}


/* The length of "https://" or "http://" in any case; 0: it does not begin so. */

static size_t
mpk_url_scheme(mpk_str_t url)
{
    size_t  i, n;

    static const mpk_str_t  schemes[] = {
        mpk_literal("https://"), mpk_literal("http://")
    };

    for (n = 0; n < sizeof(schemes) / sizeof(schemes[0]); n++) {

        if (url.len < schemes[n].len) {
            continue;
        }

        for (i = 0; i < schemes[n].len; i++) {
            if (url.data[i] != schemes[n].data[i]
                && (url.data[i] < 'A' || url.data[i] > 'Z'
                    || (url.data[i] | 0x20) != schemes[n].data[i]))
            {
                break;
            }
        }

        if (i == schemes[n].len) {
            return i;
        }
    }

    return 0;
}
