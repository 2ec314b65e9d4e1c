/* Times in the reader's own zone, by its name. */
(function () {
    'use strict';

    var format = new Intl.DateTimeFormat(document.documentElement.lang, { day: 'numeric', month: 'long', year: 'numeric',
        hour: '2-digit', minute: '2-digit', timeZoneName: 'short' });

    document.querySelectorAll('time').forEach(function (time) {
        time.textContent = format.format(new Date(time.dateTime));
    });
})();
