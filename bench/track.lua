-- wrk: looks the order page-1 up by its number and email.

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
wrk.body = "order=page-1&email=ann%40example.com"
