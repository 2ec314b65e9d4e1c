/* What a key's page can do with JavaScript: copy keys, save them as files, find one of many. */
(function () {
    'use strict';

    var page = document.getElementById('keys'),
        words = page.dataset,
        articles = Array.from(page.querySelectorAll('article'));

    function code(article) {
        return article.querySelector('.key code');
    }

    /* button(text, near, act, heading): a line with a button and its status; act(say) */

    function button(text, near, act, heading) {
        var line = document.createElement('p'),
            push = document.createElement('button'),
            status = document.createElement('span');

        line.className = 'copy';
        push.type = 'button';
        push.textContent = text;
        status.setAttribute('role', 'status');

        if (heading) {
            push.id = 'c' + heading.id;
            push.setAttribute('aria-labelledby', push.id + ' ' + heading.id);
        }

        push.onclick = function () {
            act(function (done) {
                status.textContent = '';
                setTimeout(function () {
                    status.textContent = done ? words.done : words.fail;
                }, 50);
            });
        };

        line.append(push, status);
        near.after(line);

        return line;
    }

    function select(element) {
        var range = document.createRange(), selection = getSelection();

        range.selectNodeContents(element);
        selection.removeAllRanges();
        selection.addRange(range);
    }

    function copy(text, element, say) {
        function byHand() {
            select(element);
            try {
                say(document.execCommand('copy'));
            } catch (e) {
                say(false);
            }
        }

        if (navigator.clipboard && isSecureContext) {
            navigator.clipboard.writeText(text).then(say.bind(null, true), byHand);
        } else {
            byHand();
        }
    }

    function save(text, name) {
        var link = document.createElement('a');

        link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
        link.download = name;
        link.click();
        setTimeout(URL.revokeObjectURL.bind(URL, link.href), 60000);
    }

    articles.forEach(function (article) {
        var key = code(article),
            heading = article.querySelector('h2'),
            text = key.textContent,
            line = button(words.copy, key.parentNode, copy.bind(null, text, key), heading),
            push = line.firstChild;

        /* a page has one primary button */

        if (articles.length > 1) {
            push.className = 'quiet';
        }

        if (text.length > 64 || /\n/.test(text)) {
            push = push.cloneNode();
            push.id = 's' + heading.id;
            push.className = 'quiet';
            push.textContent = words.save;
            push.setAttribute('aria-labelledby', push.id + ' ' + heading.id);
            push.onclick = save.bind(null, text, words.order + '-' + heading.id.slice(1) + '.txt');
            line.firstChild.after(push);
        }
    });

    /* of those that are shown: a line each, with its product where there are several */

    function all() {
        var shown = articles.filter(function (article) { return !article.hidden; }),
            products = shown.map(function (article) { return article.querySelector('h2').textContent; }),
            several = new Set(products).size > 1;

        return shown.map(function (article, i) {
            return (several ? products[i] + '\t' : '') + code(article).textContent;
        }).join('\n');
    }

    function filter(before) {
        var field = document.createElement('p'),
            label = document.createElement('label'),
            input = document.createElement('input');

        field.className = 'field copy';
        label.htmlFor = input.id = 'filter';
        label.textContent = words.filter;
        input.type = 'text';
        input.autocomplete = 'off';
        input.spellcheck = false;

        input.oninput = function () {
            var sought = input.value.trim().toLowerCase();

            articles.forEach(function (article) {
                article.hidden = article.textContent.toLowerCase().indexOf(sought) < 0;
            });
        };

        field.append(label, input);
        before.before(field);
    }

    if (articles.length > 1) {
        button(words.all, page.previousElementSibling, function (say) {
            copy(all(), page, say);
        });
    }

    if (articles.length > 20) {
        filter(page);
    }
})();
