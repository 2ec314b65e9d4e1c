/* IP addresses: their text. */

#include <arpa/inet.h>

#include "mpk_ip.h"


bool
mpk_ip_valid(mpk_str_t text)
{
    char     copy[MPK_IP_TEXT_MAX + 1];
    uint8_t  address[16];

    if (text.len == 0 || text.len > MPK_IP_TEXT_MAX
        || memchr(text.data, '\0', text.len))
    {
        return false;
    }

    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';

    return inet_pton(AF_INET, copy, address) == 1
           || inet_pton(AF_INET6, copy, address) == 1;
}
