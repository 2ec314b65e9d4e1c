# An HTTP/3 client for Mpk::Http: reads one request a line, as JSON, and answers in kind.
# libcurl, called directly: Debian 12 has no other client that can be told what to send.

import base64
import ctypes
import json
import sys

curl = ctypes.CDLL('libcurl-gnutls.so.4')
curl.curl_easy_init.restype = ctypes.c_void_p
curl.curl_slist_append.restype = ctypes.c_void_p
curl.curl_slist_append.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
curl.curl_slist_free_all.argtypes = [ctypes.c_void_p]
curl.curl_easy_reset.argtypes = [ctypes.c_void_p]
curl.curl_easy_perform.argtypes = [ctypes.c_void_p]
curl.curl_easy_cleanup.argtypes = [ctypes.c_void_p]

DATA = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)

HTTP_3_ONLY = 31

URL, WRITE, HEADER, HEADERS, METHOD, BODY = 10002, 20011, 20079, 10023, 10036, 10015
SIZE, NOBODY, VERIFY_PEER, VERIFY_HOST, VERSION, TIMEOUT, AS_IS, FRESH, FORBID = 60, 44, 64, 81, 84, 13, 234, 74, 75

handle = ctypes.c_void_p(curl.curl_easy_init())


def set_number(option, value):
    curl.curl_easy_setopt(handle, ctypes.c_int(option), ctypes.c_long(value))


def set_pointer(option, value):
    curl.curl_easy_setopt(handle, ctypes.c_int(option), value)


def ask(request):
    head, body = [], []
    stop = request['stop']

    def on_head(data, size, count, _):
        head.append(data[:size * count])
        return size * count

    def on_body(data, size, count, _):
        body.append(data[:size * count])
        return 0 if stop is not None and sum(map(len, body)) >= stop else size * count

    callbacks = DATA(on_head), DATA(on_body)

    lines = ['Accept:', 'Content-Type:', 'User-Agent:']
    given = {name.lower() for name in request['headers']}
    lines = [line for line in lines if line[:-1].lower() not in given]
    lines += [f'{name}:' if value is None else f'{name}: {value}' if value != '' else f'{name};'
              for name, value in request['headers'].items()]

    headers = None
    for line in lines:
        headers = curl.curl_slist_append(headers, line.encode('latin-1'))

    curl.curl_easy_reset(handle)
    set_pointer(URL, ctypes.c_char_p(f"https://127.0.0.1:{request['port']}{request['path']}".encode('latin-1')))
    set_pointer(HEADERS, ctypes.c_void_p(headers))
    set_pointer(HEADER, callbacks[0])
    set_pointer(WRITE, callbacks[1])
    set_number(VERIFY_PEER, 0)
    set_number(VERIFY_HOST, 0)
    set_number(VERSION, HTTP_3_ONLY)
    set_number(TIMEOUT, request['timeout'])
    set_number(AS_IS, 1)

    content = None

    if request['body'] is not None:
        content = base64.b64decode(request['body'])
        set_number(SIZE, len(content))
        set_pointer(BODY, ctypes.c_char_p(content))

    if request['method'] == 'HEAD':
        set_number(NOBODY, 1)
    else:
        set_pointer(METHOD, ctypes.c_char_p(request['method'].encode()))

    if stop is not None:
        set_number(FRESH, 1)
        set_number(FORBID, 1)

    status = curl.curl_easy_perform(handle)
    curl.curl_slist_free_all(headers)

    return {'curl': status, 'head': b''.join(head).decode('latin-1'), 'body': base64.b64encode(b''.join(body)).decode()}


for line in sys.stdin:
    print(json.dumps(ask(json.loads(line))), flush=True)

curl.curl_easy_cleanup(handle)
