/* The files of pages/ as data, made by embed.sh when the module is built. */

#ifndef MPK_PAGES_DATA_H
#define MPK_PAGES_DATA_H

#include <stddef.h>


typedef struct {
    const char           *name;        /* the file's; NULL: the end */
    const unsigned char  *data;
    size_t                len;
} mpk_pages_data_t;

extern const mpk_pages_data_t  mpk_pages_data[];


#endif /* MPK_PAGES_DATA_H */
