package Mpk;

# The harness: a temporary folder with nginx, Redis and a small shop, on free ports.
# Waits for conditions, never for seconds; at the end it stops what it started and
# looks through every log.

use warnings;
use strict;

use Digest::SHA qw(sha256 sha256_hex hmac_sha256);
use Encode qw(decode);
use File::Path qw(rmtree);
use File::Spec::Functions qw(rel2abs);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64url decode_base64url);
use POSIX qw(:sys_wait_h strftime);
use Scalar::Util qw(weaken);
use Test::More;
use Time::HiRes qw(sleep time);

use Mpk::Http;
use Mpk::Redis;
use Mpk::Tls;

our @EXPORT_OK = qw(wait_for ago past quick memory child);

# when an order of the tests was bought: within every claim window, the same all along

our $purchased = ago(4 * 3600);

my $json = JSON::PP->new->canonical;

# A test that dies leaves its objects to global destruction, whose order would leave a
# Redis running: what is still there is ended before.

my @living;
my $test = $$;

END {
    my $failed = $? || !Test::More->builder->is_passing;
    local ($?, $@, $!);
    $_ && $_->clear($failed) for @living;
}

# END is run, too, for who ends the test by a signal

$SIG{$_} = sub { $$ == $test ? exit 1 : POSIX::_exit(1) } for grep { ($SIG{$_} // '') ne 'IGNORE' } qw(HUP INT PIPE TERM);


# new(): makes the folder; nothing runs yet; clock: a Mpk::Clock for nginx
sub new {
    my ($class, %options) = @_;
    my $self = bless {
        dir => tempdir('mpk-test.XXXXXX', TMPDIR => 1),
        ports => {}, pids => {}, token => 'secret-token', %options
    }, $class;

    chmod 0755, $self->{dir};
    $self->{owner} = $$;
    push @living, $self;
    weaken($living[-1]);

    $self->keyring;
    $self->write('api-tokens', "shop:" . sha256_hex($self->{token}) . "\n"
        . "support-desk:" . sha256_hex('support-token') . ":support\n"
        . "reader:" . sha256_hex('read-token') . ":read\n"
        . "shop-only:" . sha256_hex('shop-token') . ":shop\n", 0600);

    return $self;
}

sub dir { $_[0]{dir} }


# port(name): a free port, the same for the same name
sub port {
    my ($self, $name) = @_;
    return $self->{ports}{$name} //= do {
        my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1',
            Proto => 'tcp') or die "no free port: $!";
        $self->{reserved}{$name} = $s;
        $s->sockport;
    };
}

# release(name): whoever shall listen there may now
sub release {
    my ($self, $name) = @_;
    close(delete $self->{reserved}{$name} // return);
}


# write(name, content, mode): a file in the folder; returns its path
sub write {
    my ($self, $name, $content, $mode) = @_;
    my $path = "$self->{dir}/$name";
    open my $f, '>', $path or die "$path: $!";
    binmode $f;
    print $f $content;
    close $f;
    chmod $mode, $path if defined $mode;
    return $path;
}

sub read {
    my ($self, $name) = @_;
    open my $f, '<', "$self->{dir}/$name" or return '';
    binmode $f;
    local $/;
    return scalar <$f> // '';
}


# keyring(uses): a keyring with a key of each use; kept, so that tests can sign, too
sub keyring {
    my ($self, @more) = @_;
    my $file = "$self->{dir}/keyring.json";
    unlink $file;
    system("bin/mpk-keyring", "new", $file) == 0 or die "mpk-keyring failed";
    for my $use (@more) {
        system("bin/mpk-keyring", "add", $file, $use) == 0 or die "mpk-keyring failed";
    }
    $self->{keys} = $json->decode($self->read('keyring.json'))->{keys};
    return $file;
}

# key(use): the current JWK
sub key {
    my ($self, $use) = @_;
    return (grep { $_->{use} eq $use } @{$self->{keys}})[0];
}

# sign(claims, %how): a JWT signed by hand; how: key, header, alg
sub sign {
    my ($self, $claims, %how) = @_;
    my $key = $how{key} // $self->key('token');
    my $header = $how{header}
        // { alg => 'HS256', typ => 'JWT', kid => $key->{kid} };
    my $input = join '.', map { encode_base64url(ref $_ ? $json->encode($_) : $_) }
        $header, $claims;
    return "$input." . encode_base64url(
        hmac_sha256($input, decode_base64url($key->{k})));
}

# claims(order, %over): what a reveal token says
sub claims {
    my ($self, $order, %over) = @_;
    my $now = int time;
    my %claims = (iss => 'mpk', aud => 'reveal', sub => $order,
        jti => encode_base64url(join '', map { chr int rand 256 } 1 .. 16),
        iat => $now, exp => $now + 3600, ch => 'email', %over);
    delete $claims{$_} for grep { !defined $claims{$_} } keys %claims;
    return \%claims;
}

sub token_id { encode_base64url(substr sha256($_[1]), 0, 16) }


# redis(%options): a real Redis, see Mpk::Redis
sub redis {
    my ($self, %options) = @_;
    my $name = $options{name} // 'redis';
    return $self->{redis}{$name} //= Mpk::Redis->new(test => $self, name => $name,
        %options);
}


# least(redis): makes the user with the least rights that docs/operations.md gives; what
# mpk_redis needs to be that user
sub least {
    my ($self, $redis) = @_;
    open my $f, '<', 'docs/operations.md' or die "docs/operations.md: $!";
    my ($rights) = map { /^    user mpk on >password (.*)/ ? $1 : () } <$f> or die 'docs/operations.md gives no rights';
    $redis->cmd('ACL', 'SETUSER', 'mpk', 'on', '>sesame', split ' ', $rights);
    return "unix:$redis->{socket} user=mpk password_file=" . $self->write('least', "sesame\n", 0600)
        . ' connect_timeout=5s timeout=10s';
}


# conf(%parts): nginx.conf with an edge and a shop; parts: main, events, http, server,
# reveal, api, location, redis (the directive's arguments), listen, workers
sub conf {
    my ($self, %part) = @_;
    my %p = (main => '', events => '', http => '', server => '', reveal => '', api => '',
        location => '', listen => '', workers => 1, redis => '', challenge => 'email',
        shop => '', level => 'info', %part);

    # patient, for a machine that is slow or busy

    $p{redis} ||= "unix:$self->{dir}/redis.sock connect_timeout=5s timeout=10s";
    my $user = $> == 0 ? 'user root;' : '';
    my $module = rel2abs($ENV{MPK_MODULE} // 'objs/ngx_http_mpk_module.so');
    my $port = $self->port('edge');
    my $shop = $self->port('shop');
    my $dir = $self->{dir};

    $p{server} .= $self->http3 if $ENV{MPK_HTTP3};

    $self->{processes} = $p{workers};

    $self->write('nginx.conf', <<CONF);
load_module $module;
$user
daemon off;
worker_processes $p{workers};
pid $dir/nginx.pid;
error_log $dir/error.log $p{level};
$p{main}

events {
    worker_connections 1024;
    $p{events}
}

http {
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;

    log_format mpk '\$remote_addr "\$request" \$status \$body_bytes_sent '
        'event=\$mpk_event outcome=\$mpk_outcome order=\$mpk_order items=\$mpk_items '
        'channel=\$mpk_channel token=\$mpk_token_id store=\$mpk_store_time '
        'head=\$mpk_journal_head uri=\$mpk_uri referer="\$http_referer"';
    access_log $dir/access.log mpk;

    mpk_redis $p{redis};
    mpk_keyring $dir/keyring.json;
    mpk_public_url http://127.0.0.1:$port;
    $p{http}

    server {
        listen 127.0.0.1:$port $p{listen};
        mpk_reveal_challenge $p{challenge};
        $p{server}

        location /r/ {
            mpk_reveal on;
            $p{reveal}
            proxy_pass http://127.0.0.1:$shop;
        }

        location /mpk/v1/ {
            mpk_api on;
            mpk_api_tokens $dir/api-tokens;
            $p{api}
        }

        $p{location}

        location / {
            proxy_pass http://127.0.0.1:$shop;
        }
    }

    server {
        listen 127.0.0.1:$shop;
        access_log off;
        $p{shop}

        location / {
            client_body_in_single_buffer on;
            add_header X-Shop "\$request_method \$request_uri";
            return 200 "shop\\n";
        }
    }
}
CONF

    return $self;
}


# http3(): what makes a server of nginx.conf speak HTTP/3, too, which MPK_HTTP3 makes request() use
sub http3 {
    my ($self) = @_;
    my $certs = $self->{http3} //= Mpk::Tls->new($self);
    $certs->certificate('edge', 'localhost') unless -f "$self->{dir}/edge.pem";
    return " listen 127.0.0.1:@{[$self->port('edge')]} quic; ssl_certificate $self->{dir}/edge.pem; ssl_certificate_key $self->{dir}/edge.key;";
}


sub nginx { $ENV{MPK_NGINX} // '/usr/sbin/nginx' }

# nginx 1.18 has no -e: the log that it begins with is in its prefix
my $prefix = `@{[nginx()]} -v 2>&1` =~ m{: nginx/1\.18\.};

sub command {
    my ($self) = @_;
    mkdir "$self->{dir}/logs" if $prefix;
    return (nginx(), '-c', "$self->{dir}/nginx.conf", $prefix ? ('-p', $self->{dir}) : ('-e', "$self->{dir}/error.log"));
}

# check(option): nginx -t, or another option; (exit status is good, what it printed)
sub check {
    my ($self, $option) = @_;
    local %ENV = (%ENV, $self->environment);
    $option //= '-t';

    # such an nginx leaves all of its memory to the kernel

    $ENV{ASAN_OPTIONS} .= ':detect_leaks=0';
    my $out = `@{[$self->command]} $option 2>&1`;
    my $good = $? == 0;
    return ($good, $out);
}

sub environment {
    my ($self) = @_;
    return (
        ASAN_OPTIONS => join(':', "detect_odr_violation=0:abort_on_error=0:log_path=$self->{dir}/asan",
            $self->{asan_options} // (), $self->{clock} ? 'verify_asan_link_order=0' : ()),
        LSAN_OPTIONS => 'suppressions=t/lsan.supp:print_suppressions=0',
        UBSAN_OPTIONS => "print_stacktrace=1:log_path=$self->{dir}/ubsan",
        $self->{clock} ? $self->{clock}->environment : (),
    );
}


# start(): starts nginx and waits until it answers
sub start {
    my ($self) = @_;

    $self->release($_) for keys %{$self->{reserved}};

    my @command = $self->command;

    unshift @command, 'valgrind', '-q', '--trace-children=no', '--leak-check=full',
        '--show-leak-kinds=definite', '--errors-for-leak-kinds=definite',
        '--keep-debuginfo=yes', '--suppressions=t/valgrind.supp',
        "--log-file=$self->{dir}/valgrind.%p" if $ENV{MPK_VALGRIND};

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        my %env = $self->environment;
        @ENV{keys %env} = values %env;
        open STDERR, '>>', "$self->{dir}/stderr";
        open STDOUT, '>>', "$self->{dir}/stderr";
        exec @command or POSIX::_exit(127);
    }

    $self->{nginx} = $pid;

    wait_for(sub {
        if (waitpid($pid, WNOHANG) == $pid) {
            delete $self->{nginx};
            die 'nginx does not start: ' . $self->read('stderr') . $self->read('error.log');
        }
        -s "$self->{dir}/nginx.pid" && $self->connects('edge') && $self->workers >= ($self->{processes} // 1);
    }, 'nginx answers') or die "nginx does not answer";

    return $self;
}

sub connects {
    my ($self, $name) = @_;
    return !!IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->port($name), Timeout => 1);
}

# workers(): the pids of nginx's workers
sub workers {
    my ($self, $master) = @_;
    $master //= $self->{nginx};
    my $children = '';
    if (open my $f, '<', "/proc/$master/task/$master/children") {
        local $/;
        $children = <$f> // '';
    }
    return split ' ', $children;
}

# reload(): SIGHUP; waits until the old workers have gone, and all new ones are there
sub reload {
    my ($self, $seconds) = @_;
    my %old = map { $_ => 1 } $self->workers;
    Mpk::Http::h3_close();
    kill 'HUP', $self->{nginx};
    return wait_for(sub {
        my @now = $self->workers;
        @now >= ($self->{processes} // 1) && !grep { $old{$_} } @now;
    }, 'the old workers go', $seconds);
}

# quit(signal): ends nginx and waits for it; true if it went in time
sub quit {
    my ($self, $signal) = @_;
    my $pid = delete $self->{nginx} or return 1;
    Mpk::Http::h3_close();
    kill $signal // 'QUIT', $pid;
    my $gone = wait_for(sub { waitpid($pid, WNOHANG) == $pid }, 'nginx goes');
    kill 'KILL', $pid unless $gone;
    return $gone;
}


# wait_for(condition, what, seconds): polls; true once it holds
sub wait_for {
    my ($condition, $what, $seconds) = @_;
    $seconds = ($seconds // 15) * ($ENV{MPK_VALGRIND} ? 4 : 1);
    my $until = time + $seconds;
    my $pause = 0.002;

    while (1) {
        return 1 if $condition->();
        last if time > $until;
        sleep $pause;
        $pause *= 1.5 if $pause < 0.05;
    }

    diag("not within $seconds s: $what") if defined $what;
    return 0;
}

# ago(seconds): a time so long ago, as the API writes times
sub ago { my ($seconds) = @_; return strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time - $seconds)) }

# past(seconds): members of an order that was bought and delivered so long ago
sub past { my $at = ago($_[0]); return (imported => JSON::PP::true, purchased_at => $at, delivered_at => $at) }

# quick(code): the seconds that it takes
sub quick { my ($code) = @_; my $start = time; $code->(); return time - $start }

# memory(pid, what): of a process, in kB; what: VmRSS, VmHWM ...
sub memory {
    my ($pid, $what) = @_;
    open my $f, '<', "/proc/$pid/status" or return 0;
    my ($kb) = map { /^$what:\s+(\d+) kB/ ? $1 : () } <$f>;
    return $kb // 0;
}

# child(code): a process that runs it and ends; its pid
sub child {
    my ($code) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    # none of the test's objects is the child's to end

    POSIX::_exit(eval { $code->(); 1 } ? 0 : do { warn $@; 1 });
}

# mark(), log_since(mark): the error log from a moment on
sub mark { my ($self) = @_; return length $self->read('error.log') }
sub log_since { my ($self, $mark) = @_; return substr $self->read('error.log'), $mark }

# logged(what, seconds): waits until the error log has a match
sub logged {
    my ($self, $what, $seconds) = @_;
    return wait_for(sub { $self->read('error.log') =~ $what }, "the log: $what", $seconds);
}


# request(method, path, %options): one HTTP/1.1 request to the edge, see Mpk::Http
sub request {
    my ($self, $method, $path, %options) = @_;
    my $over = $ENV{MPK_HTTP3} && !$options{port} && !$options{socket} ? \&Mpk::Http::h3 : \&Mpk::Http::request;
    my $r = $over->($options{port} // $self->port('edge'), $method, $path, %options);
    $self->keep($method, $path, $r) if $ENV{MPK_ANSWERS} && $path =~ m{^/mpk/v1/};
    return $r;
}

# keep(method, path, answer): a line in the file MPK_ANSWERS, for t/99-openapi.t; of answers
# that are alike, some are enough
sub keep {
    my ($self, $method, $path, $r) = @_;
    my $shape = $path =~ s/\?.*//r =~ s{orders/[^/]+}{orders/}r =~ s{(claims|withdrawals)/[^/]+}{$1/}r;

    return if !$r->{status} || length $r->{body} > 256 * 1024
        || $self->{kept}{"$method $shape $r->{status}"}++ >= 50;

    my $line = JSON::PP->new->utf8->encode({ method => $method, path => $path, status => $r->{status} + 0,
        content_type => $r->{headers}{'content-type'} // '', body => decode('UTF-8', $r->{body}) });

    # one write, since clients of a test may be processes of their own

    open my $f, '>>', $ENV{MPK_ANSWERS} or die "$ENV{MPK_ANSWERS}: $!";
    syswrite $f, "$line\n";
}

sub get { my $self = shift; $self->request('GET', @_) }

# post(path, form, %options): a form, {name => value} or its bytes; {json} is the answer decoded
sub post {
    my ($self, $path, $form, %options) = @_;
    my $r = $self->request('POST', $path, %options, body => ref $form ? Mpk::Http::form(%$form) : $form,
        headers => { 'Content-Type' => 'application/x-www-form-urlencoded', %{$options{headers} // {}} });
    $r->{json} = eval { JSON::PP->new->utf8->decode($r->{body}) };
    return $r;
}

# metric(name): its value on a location /metrics
sub metric { my ($self, $name) = @_; return $self->get('/metrics')->{body} =~ /^mpk_\Q$name\E (\d+)$/m ? $1 : 0 }


# api(method, path, body, %options): a call of the API; body is encoded
sub api {
    my ($self, $method, $path, $body, %options) = @_;
    my $r = $self->request($method, "/mpk/v1/$path",
        headers => { 'Authorization' => 'Bearer ' . ($options{token} // $self->{token}),
            defined $body ? ('Content-Type' => 'application/json') : (),
            %{$options{headers} // {}} },
        defined $body ? (body => ref $body ? $json->encode($body) : $body) : ());
    $r->{json} = eval { JSON::PP->new->utf8->decode($r->{body}) };
    return $r;
}

# order(%over): an order to file
sub order {
    my ($self, %over) = @_;
    my %order = (email => 'ann@example.com', purchased_at => $purchased,
        state => 'ready', items => [ { sku => 'OFF-24', product => 'Office 2024',
            key => 'XK7QX-BBBBB-CCCCC-DDDDD-EEEEE' } ], %over);
    delete $order{$_} for grep { !defined $order{$_} } keys %order;
    return \%order;
}

# file(id, %over): files an order; dies if that fails
sub file {
    my ($self, $id, %over) = @_;
    my $r = $self->api('PUT', "orders/$id", $self->order(%over));
    die "filing $id: $r->{status} $r->{body}" unless $r->{status} =~ /^20[01]$/;
    return $id;
}

# mint(id, body): the path of a fresh link
sub mint {
    my ($self, $id, $body, %options) = @_;
    my $r = $self->api('POST', "orders/$id/links", $body, %options);
    die "minting for $id: $r->{status} $r->{body}" unless $r->{status} == 200;
    my ($path) = $r->{json}{url} =~ m{^http://127\.0\.0\.1:\d+(/r/.+)$}
        or die "no url: $r->{body}";
    return $path;
}

# link(id, %over): files an order and mints a link for it
sub link {
    my ($self, $id, %over) = @_;
    $self->file($id, %over);
    return $self->mint($id);
}

# nonce(link): opens the link; the confirm page's nonce
sub nonce {
    my ($self, $link) = @_;
    my $r = $self->get($link, headers => { Accept => 'application/json' });
    return eval { $json->decode($r->{body})->{nonce} } // '';
}

# confirm(link, %fields): POSTs the confirmation as a form; JSON answer
sub confirm {
    my ($self, $link, %fields) = @_;
    my $headers = delete $fields{headers} // {};
    my %form = (email => 'ann@example.com', %fields);
    $form{nonce} //= $self->nonce($link);
    delete $form{$_} for grep { !length $form{$_} } keys %form;
    return $self->post($link, \%form, headers => { Accept => 'application/json', %$headers });
}

# track(order, %how): finds it by its number and email; JSON, or a page if how has html; also
# email, path, headers
sub track {
    my ($self, $order, %how) = @_;
    return $self->post($how{path} // '/track', { order => $order, email => $how{email} // 'ann@example.com' },
        headers => { $how{html} ? () : (Accept => 'application/json'), %{$how{headers} // {}} });
}

# serves(): waits until commits are taken
sub serves {
    my ($self) = @_;
    return wait_for(sub { $self->api('PUT', 'orders/S-0', $self->order)->{status} =~ /^20/ }, 'commits are taken');
}

# confirming(link, nonce, receive): sends such a confirmation, and does not wait; the socket
# that its answer comes on, see Mpk::Http::connection
sub confirming {
    my ($self, $link, $nonce, $receive) = @_;
    my $socket = Mpk::Http::connection($self->port('edge'), $receive);
    print $socket Mpk::Http::text('POST', $link, headers => { Accept => 'application/json',
        'Content-Type' => 'application/x-www-form-urlencoded' },
        body => Mpk::Http::form(nonce => $nonce, email => 'ann@example.com'));
    $socket->flush;
    return $socket;
}

# journal(id): the answer of GET .../journal, decoded
sub journal {
    my ($self, $id, $query) = @_;
    return $self->api('GET', "orders/$id/journal" . ($query // ''))->{json};
}

# stored(redis, id): an order as it lies in Redis: its key, and its fields
sub stored {
    my ($self, $redis, $id) = @_;
    my ($key) = @{$redis->cmd('KEYS', "mpk:{??}:o:$id")} or return;
    return ($key, @{$redis->cmd('HGETALL', $key)});
}

# revision(redis, id): its revision, and the numbers of its journal entries
sub revision {
    my ($self, $redis, $id) = @_;
    my (undef, %field) = $self->stored($redis, $id) or return 0;
    my ($revision) = $field{h} =~ /^(\d+) /;
    return ($revision // 0, sort { $a <=> $b } map { /^e(\d+)$/ } keys %field);
}

# events(id): the events in an order's journal, as one string
sub events {
    my ($self, $id) = @_;
    return join ' ', map { $_->{event} } @{$self->journal($id)->{entries} // []};
}


# finish(): stops everything and looks through the logs; done_testing()
sub finish {
    my ($self, %allow) = @_;

    ok($self->quit, 'nginx ends when asked to') if $self->{nginx};
    $_->stop for values %{$self->{redis} // {}};

    my @bad = $self->complaints($allow{alerts});
    is(join("\n", @bad), '', 'no alert, no dead worker, no sanitizer report in any log');

    done_testing();
}

sub complaints {
    my ($self, $allowed) = @_;
    my @bad;

    for my $line (split /\n/, $self->read('error.log') . $self->read('stderr')) {
        next if $allowed && $line =~ $allowed;
        push @bad, $line if $line =~ /\[(alert|emerg)\]/
            || $line =~ /exited on signal|exited with (fatal )?code [1-9]/
            || $line =~ /Sanitizer|runtime error:/;
    }

    for my $log (glob("$self->{dir}/asan.* $self->{dir}/ubsan.* $self->{dir}/valgrind.*")) {
        open my $f, '<', $log or next;
        local $/;
        my $text = <$f> // '';
        push @bad, substr $text, 0, 6000 if $text =~ /\S/;
    }

    return @bad;
}

# clear(failed): ends what still runs and removes the folder; shows the log's end of a test
# that failed
sub clear {
    my ($self, $failed) = @_;
    return unless $self->{owner} == $$ && !$self->{cleared}++;
    if (my $pid = delete $self->{nginx}) {
        kill 'TERM', $pid;
        wait_for(sub { waitpid($pid, WNOHANG) == $pid }, undef, 5) or kill 'KILL', $pid;
    }
    $_ && $_->stop for values %{$self->{redis} // {}};
    diag(substr $self->read('error.log'), -4000) if $failed;
    rmtree($self->{dir}) unless $ENV{MPK_KEEP};
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    $self->clear;
}

# import(names): wait_for(), and those that are named
sub import {
    my ($class, @names) = @_;
    no strict 'refs';

    for my $name ('wait_for', @names) {
        grep { $_ eq $name } @EXPORT_OK or die "Mpk has no $name";
        *{caller() . "::$name"} = \&$name;
    }
}

1;
