/* Copy buttons: shown where the browser can copy; without them the key is selected by hand. */
(function () {
    'use strict';

    function select(code) {
        var range = document.createRange(), selection = getSelection();

        range.selectNodeContents(code);
        selection.removeAllRanges();
        selection.addRange(range);
    }

    function arm(button) {
        var code = document.getElementById(button.dataset.copy),
            status = button.nextElementSibling;

        function say(done) {
            status.textContent = '';
            setTimeout(function () {
                status.textContent = done ? button.dataset.done : button.dataset.fail;
            }, 50);
        }

        function byHand() {
            select(code);
            try {
                say(document.execCommand('copy'));
            } catch (e) {
                say(false);
            }
        }

        button.hidden = false;
        button.onclick = function () {
            if (navigator.clipboard && isSecureContext) {
                navigator.clipboard.writeText(code.textContent).then(say.bind(null, true), byHand);
            } else {
                byHand();
            }
        };
    }

    document.querySelectorAll('[data-copy]').forEach(arm);
})();
