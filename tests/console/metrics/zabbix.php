<?php
// php zabbix.php FRONTEND TEMPLATE: what Zabbix's own importer has against a template. Prints a line
// for each mistake, and the number of expressions and patterns that were read.
error_reporting(E_ALL & ~E_DEPRECATED);
[, $frontend, $file] = $argv;
spl_autoload_register(function (string $class) use ($frontend): void {
    static $known = null;
    if ($known === null) {
        $all = new RecursiveIteratorIterator(new RecursiveDirectoryIterator("$frontend/include/classes"));
        foreach ($all as $one) {
            $known[$one->getBasename('.php')] = $one->getPathname();
        }
    }
    if (isset($known[$class])) {
        require $known[$class];
    }
});
require "$frontend/vendor/autoload.php";
foreach (['gettextwrapper', 'defines', 'func', 'translateDefines'] as $name) {
    require_once "$frontend/include/$name.inc.php";
}

$data = CImportReaderFactory::getReader(CImportReaderFactory::YAML)->read(file_get_contents($file));
$validator = new CXmlValidator(new CImportValidatorFactory(CImportReaderFactory::YAML), 'yaml');
try {
    $validator->setStrict(true)->validate($data, '');
} catch (Exception $mistake) {
    echo $mistake->getMessage(), "\n";
}

$expressions = new CExpressionParser(['usermacros' => true, 'lldmacros' => true]);
$patterns = new CPrometheusPatternParser(['usermacros' => true, 'lldmacros' => true]);
$read = 0;
array_walk_recursive($data, function ($value, $key) use ($expressions, &$read): void {
    if ($key === 'expression') {
        $read++;
        if ($expressions->parse($value) !== CParser::PARSE_SUCCESS) {
            echo "no expression: $value\n";
        }
    }
});
(function (array $part) use ($patterns, &$read): void {
    $look = function (array $part) use (&$look, $patterns, &$read): void {
        if (($part['type'] ?? '') === 'PROMETHEUS_PATTERN') {
            $read++;
            if ($patterns->parse($part['parameters'][0]) !== CParser::PARSE_SUCCESS) {
                echo "no pattern: {$part['parameters'][0]}\n";
            }
        }
        foreach (array_filter($part, 'is_array') as $inner) {
            $look($inner);
        }
    };
    $look($part);
})($data);
echo $read, "\n";
