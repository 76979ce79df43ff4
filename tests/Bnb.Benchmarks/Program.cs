// dotnet run -c Release --project tests/Bnb.Benchmarks -- kernels | search | quality PAGE | gemm [ROUNDS] | gpu-run OUT [DEVICE] | ptx DIR | evaluate [TOKENS] | pipeline [--tool PATH] [--gigabytes 0.5,1.8,2,8]
using Bnb.Benchmarks;

return args switch
{
    ["kernels", ..] => KernelReport.Run(),
    ["search"] => SearchReport.Run(),
    ["gemm", .. var rest] => GemmReport.Run(rest),
    ["gpu-run", .. var rest] => GpuRun.Run(rest),
    ["ptx", var folder] => PtxFiles.Write(folder),
    ["evaluate", .. var rest] => EvaluateReport.Run(rest),
    ["pipeline", .. var rest] => PipelineBenchmark.Run(rest),
    ["quality", var page] => QualityReport.Run(page),
    ["sample", var folder, var gigabytes] => PipelineBenchmark.WriteSample(folder, gigabytes),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("usage: kernels | search | quality PAGE | gemm [ROUNDS] | gpu-run OUT [DEVICE] | ptx DIR | evaluate [TOKENS] | pipeline [--tool PATH] [--gigabytes LIST] [--rounds N]");
    return 2;
}
