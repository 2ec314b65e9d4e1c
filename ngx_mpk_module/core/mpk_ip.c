/* IP addresses: their text, and how they are counted. */

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


mpk_str_t
mpk_ip_counted(const uint8_t address[16])
{
    size_t  i;

    static const uint8_t  prefixes[][12] = {
        { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff },
        { 0, 0x64, 0xff, 0x9b }
    };

    for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (memcmp(address, prefixes[i], 12) == 0) {
            return (mpk_str_t) { 4, address + 12 };
        }
    }

    return (mpk_str_t) { 8, address };
}
