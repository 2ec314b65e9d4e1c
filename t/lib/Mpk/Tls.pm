package Mpk::Tls;

# Certificates for a test's servers: good ones, of another CA, for another name, expired.

use warnings;
use strict;


# new(test): makes two CAs, ca.pem and evil.pem, in the test's folder
sub new {
    my ($class, $test) = @_;
    my $self = bless { test => $test, dir => $test->dir }, $class;
    $self->openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=$_ -keyout $self->{dir}/$_.key -out $self->{dir}/$_.pem") for qw(ca evil);
    return $self;
}

sub openssl {
    my ($self, @args) = @_;
    system("openssl @args >>$self->{dir}/openssl.log 2>&1") == 0
        or die "openssl @args: " . $self->{test}->read('openssl.log');
}

# certificate(name, subject, names): name.pem and name.key, of ca; names: subjectAltName
sub certificate {
    my ($self, $name, $subject, $names) = @_;
    my $dir = $self->{dir};
    $self->openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$subject -keyout $dir/$name.key -out $dir/$name.csr");
    $self->{test}->write("$name.ext", 'subjectAltName=' . ($names // "DNS:$subject") . "\n");
    $self->openssl("x509 -req -in $dir/$name.csr -CA $dir/ca.pem -CAkey $dir/ca.key -CAcreateserial -days 30 -extfile $dir/$name.ext -out $dir/$name.pem");
}

# expired(name, of): name.pem for localhost, as "of", years ago; with the same key
sub expired {
    my ($self, $name, $of) = @_;
    my ($t, $dir) = @$self{qw(test dir)};
    $t->write('ca.cnf', "[ca]\ndefault_ca=d\n[d]\ndatabase=$dir/index\nserial=$dir/serial\nnew_certs_dir=$dir\npolicy=p\ncopy_extensions=none\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=DNS:localhost\n");
    $t->write('index', '');
    $t->write('serial', "4711\n");
    $self->openssl("ca -batch -config $dir/ca.cnf -md sha256 -cert $dir/ca.pem -keyfile $dir/ca.key -in $dir/$of.csr -out $dir/$name.pem -startdate 20200101000000Z -enddate 20200201000000Z -notext");
    link "$dir/$of.key", "$dir/$name.key";
}

# args(port, name, clients): of a redis-server with that certificate
sub args {
    my ($self, $port, $name, $clients) = @_;
    my $dir = $self->{dir};
    return [ '--tls-port', $port, '--tls-cert-file', "$dir/$name.pem", '--tls-key-file', "$dir/$name.key",
        '--tls-ca-cert-file', "$dir/ca.pem", '--tls-auth-clients', $clients // 'no' ];
}

1;
