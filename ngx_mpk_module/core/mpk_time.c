/* Times: RFC 3339 and words, from and to seconds since 1970. */

#include "mpk_time.h"


typedef struct {
    int64_t       field[6];           /* year, month, day, hour, minute, second */
} mpk_date_t;


static void mpk_date(int64_t seconds, mpk_date_t *date);
static int64_t mpk_days(int64_t year, int64_t month, int64_t day);
static bool mpk_time_number(mpk_str_t *text, size_t digits, int64_t *n);
static bool mpk_time_char(mpk_str_t *text, const char *any);


void
mpk_time_format(int64_t seconds, uint8_t out[MPK_TIME_LEN])
{
    size_t      i;
    mpk_date_t  date;

    static const uint8_t  at[6] = { 0, 5, 8, 11, 14, 17 };

    mpk_date(seconds, &date);

    memcpy(out, "0000-00-00T00:00:00Z", MPK_TIME_LEN);

    out[0] = (uint8_t) ('0' + date.field[0] / 1000);
    out[1] = (uint8_t) ('0' + date.field[0] / 100 % 10);
    out[2] = (uint8_t) ('0' + date.field[0] / 10 % 10);
    out[3] = (uint8_t) ('0' + date.field[0] % 10);

    for (i = 1; i < 6; i++) {
        out[at[i]] = (uint8_t) ('0' + date.field[i] / 10);
        out[at[i] + 1] = (uint8_t) ('0' + date.field[i] % 10);
    }
}


mpk_status_t
mpk_time_words_read(mpk_str_t format, mpk_str_t first, mpk_str_t months,
    mpk_time_words_t *words)
{
    size_t  i, n, start;

    for (i = 0; i < format.len; i++) {

        if (format.data[i] != '%') {
            continue;
        }

        if (++i == format.len
            || memchr("dBYHM", format.data[i], sizeof("dBYHM") - 1) == NULL)
        {
            return MPK_MALFORMED;
        }
    }

    words->format = format;
    words->first = first;

    for (i = 0, n = 0, start = 0; i <= months.len; i++) {

        if (i < months.len && months.data[i] != ' ') {
            continue;
        }

        if (i == start || n == 12) {
            return MPK_MALFORMED;
        }

        words->months[n++] = (mpk_str_t) { i - start, months.data + start };
        start = i + 1;
    }

    return n == 12 ? MPK_OK : MPK_MALFORMED;
}


void
mpk_time_words(int64_t seconds, const mpk_time_words_t *words, mpk_buf_t *out)
{
    size_t      i;
    int64_t     n;
    mpk_date_t  date;

    mpk_date(seconds, &date);

    for (i = 0; i < words->format.len; i++) {

        if (words->format.data[i] != '%') {
            mpk_buf_byte(out, words->format.data[i]);
            continue;
        }

        switch (words->format.data[++i]) {

        case 'd':
            if (date.field[2] == 1) {
                mpk_buf_str(out, words->first);

            } else {
                mpk_buf_int(out, date.field[2]);
            }

            break;

        case 'B':
            mpk_buf_str(out, words->months[date.field[1] - 1]);
            break;

        case 'Y':
            mpk_buf_int(out, date.field[0]);
            break;

        default: /* H, M */
            n = date.field[words->format.data[i] == 'H' ? 3 : 4];
            mpk_buf_byte(out, (uint8_t) ('0' + n / 10));
            mpk_buf_byte(out, (uint8_t) ('0' + n % 10));
        }
    }
}


static void
mpk_date(int64_t seconds, mpk_date_t *date)
{
    int64_t  days, year, month, rest;

    seconds = seconds < 0 ? 0 : seconds;
    seconds = seconds > MPK_TIME_MAX ? MPK_TIME_MAX : seconds;

    days = seconds / 86400;
    rest = seconds % 86400;

    year = 1970 + days / 366;
    while (mpk_days(year + 1, 1, 1) <= days) {
        year++;
    }

    /* a lower bound, as for the year above */

    month = 1 + (days - mpk_days(year, 1, 1)) / 31;
    while (month < 12 && mpk_days(year, month + 1, 1) <= days) {
        month++;
    }

    date->field[0] = year;
    date->field[1] = month;
    date->field[2] = days - mpk_days(year, month, 1) + 1;
    date->field[3] = rest / 3600;
    date->field[4] = rest % 3600 / 60;
    date->field[5] = rest % 60;
}


/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t
mpk_days(int64_t year, int64_t month, int64_t day)
{
    static const int16_t  before[12] = {
        0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334
    };

    int64_t  leaps, last;

    /* a leap day counts from March on */

    last = month > 2 ? year : year - 1;
    leaps = last / 4 - last / 100 + last / 400 - 477;

    return (year - 1970) * 365 + leaps + before[month - 1] + day - 1;
}


mpk_status_t
mpk_time_read(mpk_str_t text, int64_t *seconds)
{
    bool     west;
    int64_t  year, month, day, hour, minute, second, oh, om, t;

    oh = 0;
    om = 0;
    west = false;

    if (!mpk_time_number(&text, 4, &year)
        || !mpk_time_char(&text, "-")
        || !mpk_time_number(&text, 2, &month)
        || !mpk_time_char(&text, "-")
        || !mpk_time_number(&text, 2, &day)
        || !mpk_time_char(&text, "Tt ")
        || !mpk_time_number(&text, 2, &hour)
        || !mpk_time_char(&text, ":")
        || !mpk_time_number(&text, 2, &minute)
        || !mpk_time_char(&text, ":")
        || !mpk_time_number(&text, 2, &second))
    {
        return MPK_MALFORMED;
    }

    if (year < 1970 || month < 1 || month > 12 || hour > 23 || minute > 59
        || second > 60 || day < 1
        || mpk_days(year, month, day)
           >= (month == 12 ? mpk_days(year + 1, 1, 1)
                           : mpk_days(year, month + 1, 1)))
    {
        return MPK_MALFORMED;
    }

    if (mpk_time_char(&text, ".")) {

        if (!mpk_time_number(&text, 1, &t)) {
            return MPK_MALFORMED;
        }

        while (mpk_time_number(&text, 1, &t)) { /* void */ }
    }

    if (!mpk_time_char(&text, "Zz")) {

        west = mpk_time_char(&text, "-");

        if ((!west && !mpk_time_char(&text, "+"))
            || !mpk_time_number(&text, 2, &oh)
            || !mpk_time_char(&text, ":")
            || !mpk_time_number(&text, 2, &om)
            || oh > 23 || om > 59)
        {
            return MPK_MALFORMED;
        }
    }

    if (text.len) {
        return MPK_MALFORMED;
    }

    t = mpk_days(year, month, day) * 86400 + hour * 3600 + minute * 60
        + (second == 60 ? 59 : second);

    t -= (west ? -1 : 1) * (oh * 3600 + om * 60);

    if (t < 0 || t > MPK_TIME_MAX) {
        return MPK_MALFORMED;
    }

    *seconds = t;

    return MPK_OK;
}


static bool
mpk_time_number(mpk_str_t *text, size_t digits, int64_t *n)
{
    size_t  i;

    if (text->len < digits) {
        return false;
    }

    *n = 0;

    for (i = 0; i < digits; i++) {

        if (text->data[i] < '0' || text->data[i] > '9') {
            return false;
        }

        *n = *n * 10 + (text->data[i] - '0');
    }

    text->data += digits;
    text->len -= digits;

    return true;
}


static bool
mpk_time_char(mpk_str_t *text, const char *any)
{
    if (text->len == 0 || text->data[0] == '\0'
        || strchr(any, text->data[0]) == NULL)
    {
        return false;
    }

    text->data++;
    text->len--;

    return true;
}
