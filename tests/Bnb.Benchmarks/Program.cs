// dotnet run -c Release --project tests/Bnb.Benchmarks -- kernels | search | decode | quality PAGE | quality-picture PAGE | gemm [ROUNDS] | gpu-run OUT [DEVICE] | ptx DIR | evaluate [TOKENS] | policy [TENSORS] | tensors --tool PATH [COUNT...] | pipeline [--tool PATH] [--gigabytes 0.5,1.8,2,8]
using Bnb.Benchmarks;

return args switch
{
    ["kernels", ..] => KernelReport.Run(),
    ["search"] => SearchReport.Run(),
    ["decode"] => DecodeReport.Run(),
    ["gemm", .. var rest] => GemmReport.Run(rest),
    ["gpu-run", .. var rest] => GpuRun.Run(rest),
    ["ptx", var folder] => PtxFiles.Write(folder),
    ["evaluate", .. var rest] => EvaluateReport.Run(rest),
    ["pipeline", .. var rest] => PipelineBenchmark.Run(rest),
    ["quality", var page] => QualityReport.Run(page),
    ["quality-picture", var page] => QualityReport.Draw(page),
    ["experts", var folder, var tensors] => TensorCost.WriteSample(folder, tensors),
    ["tensors", .. var rest] => TensorCost.Run(rest),
    ["policy", .. var rest] => PolicyCost.Run(rest),
    ["sample", var folder, var gigabytes] => PipelineBenchmark.WriteSample(folder, gigabytes),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("usage: kernels | search | decode | quality PAGE | quality-picture PAGE | gemm [ROUNDS] | gpu-run OUT [DEVICE] | ptx DIR | evaluate [TOKENS] | policy [TENSORS] | tensors --tool PATH [COUNT...] | pipeline [--tool PATH] [--gigabytes LIST] [--rounds N]");
    return 2;
}
